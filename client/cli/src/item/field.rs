//! Fields as they are written on a command line.

use core::str::FromStr;

use vettid_sdk::wire::operation::item::FieldKind;

/// `[kind:]label`, without a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Labeled {
    /// Kind, if it was named.
    pub(crate) kind: Option<FieldKind>,
    /// Label.
    pub(crate) label: String,
}

/// `[kind:]label=value`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Valued {
    /// Kind and label.
    pub(crate) field: Labeled,
    /// Value.
    pub(crate) value: String,
}

/// Every kind with its name.
pub(crate) const KINDS: [(FieldKind, &str); 11] = [
    (FieldKind::Address, "address"),
    (FieldKind::Date, "date"),
    (FieldKind::Email, "email"),
    (FieldKind::File, "file"),
    (FieldKind::Multiline, "multiline"),
    (FieldKind::Number, "number"),
    (FieldKind::Otp, "otp"),
    (FieldKind::Password, "password"),
    (FieldKind::Phone, "phone"),
    (FieldKind::Text, "text"),
    (FieldKind::Url, "url"),
];

/// Name of a kind.
pub(crate) fn name_of(kind: FieldKind) -> &'static str {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or("", |(_, name)| name)
}

impl FromStr for Labeled {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, label) = match text.split_once(':') {
            None => (None, text),
            Some((name, label)) => {
                let known = KINDS.iter().find(|(_, known)| *known == name);
                let (kind, _) = known.ok_or_else(|| unknown(name))?;
                (Some(*kind), label)
            }
        };
        if label.is_empty() || label.contains('=') {
            return Err("a field is KIND:LABEL; its value is asked for".into());
        }
        Ok(Self {
            kind,
            label: label.to_owned(),
        })
    }
}

impl FromStr for Valued {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (field, value) = text
            .split_once('=')
            .ok_or("a field with its value is [KIND:]LABEL=VALUE")?;
        Ok(Self {
            field: field.parse()?,
            value: value.to_owned(),
        })
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = KINDS.iter().map(|(_, name)| *name).collect();
    format!(
        "\"{name}\" is no kind of field; there are {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_has_a_label_and_perhaps_a_kind() {
        let parsed = |text: &str| text.parse::<Labeled>().ok();

        assert_eq!(
            parsed("otp:code"),
            Some(Labeled {
                kind: Some(FieldKind::Otp),
                label: "code".into()
            })
        );
        assert_eq!(
            parsed("code"),
            Some(Labeled {
                kind: None,
                label: "code".into()
            })
        );
        for wrong in ["", "otp:", "seed:code", "password:pass=word"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn value_may_hold_anything() {
        let valued: Valued = "url:site=https://a.example/?b=c:d".parse().unwrap();

        assert_eq!(valued.field, "url:site".parse().unwrap());
        assert_eq!(valued.value, "https://a.example/?b=c:d");
        assert!("site".parse::<Valued>().is_err());
    }

    #[test]
    fn every_kind_has_its_own_name() {
        for (kind, name) in KINDS {
            assert_eq!(name_of(kind), name);
            assert_eq!(KINDS.iter().filter(|(_, other)| *other == name).count(), 1);
        }
    }
}
