//! What a field may hold.

use vettid_wire::Secret;
use vettid_wire::operation::item::FieldKind;
use vettid_wire::refusal::Code;

use super::otp_seed::OtpSeed;
use crate::stop::Stop;

/// Refuses a value that is not of its kind. An empty one is left blank by the owner and always fine.
///
/// An item's size bounds all of its values together. Attachments are not there yet.
pub(crate) fn check(kind: FieldKind, value: &Secret) -> Result<(), Stop> {
    let fits = value.expose(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return false;
        };
        text.is_empty() || fits(kind, text)
    });
    if fits {
        Ok(())
    } else {
        Err(Code::InvalidValue.into())
    }
}

/// Refuses notes that are no text.
pub(crate) fn check_notes(notes: &Secret) -> Result<(), Stop> {
    check(FieldKind::Multiline, notes)
}

fn fits(kind: FieldKind, text: &str) -> bool {
    let several_lines = matches!(kind, FieldKind::Address | FieldKind::Multiline);
    let line_break = |c| several_lines && matches!(c, '\n' | '\r' | '\t');
    if text.contains(|c: char| c.is_control() && !line_break(c)) {
        return false;
    }
    match kind {
        FieldKind::Address | FieldKind::Multiline | FieldKind::Password | FieldKind::Text => true,
        FieldKind::Date => is_date(text),
        FieldKind::Email => is_email(text),
        FieldKind::File => false,
        FieldKind::Number => is_number(text),
        FieldKind::Otp => OtpSeed::parse(text).is_some(),
        FieldKind::Phone => is_phone(text),
        FieldKind::Url => !text.contains(char::is_whitespace),
    }
}

/// `YYYY-MM-DD` of a day that exists.
fn is_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let number = |text: &str, length: usize| {
        let digits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_email(text: &str) -> bool {
    let apart = text.rsplit_once('@');
    apart.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !text.contains(char::is_whitespace)
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    }
}

fn is_phone(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || " +-./()*#,;x".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_kind_are_accepted() {
        for (kind, value) in [
            (FieldKind::Address, "Street 1\n1000 Town"),
            (FieldKind::Date, "2024-02-29"),
            (FieldKind::Email, "a@b.example"),
            (FieldKind::Multiline, "one\ntwo\tthree"),
            (FieldKind::Number, "-12.50"),
            (FieldKind::Number, "7"),
            (FieldKind::Otp, "JBSWY3DPEHPK3PXP"),
            (FieldKind::Password, "correct horse"),
            (FieldKind::Phone, "+43 (1) 234-56"),
            (FieldKind::Text, "Ärzte"),
            (FieldKind::Url, "https://example.org/?q=1"),
            (FieldKind::Date, ""),
            (FieldKind::File, ""),
        ] {
            assert_eq!(
                check(kind, &Secret::from(value)),
                Ok(()),
                "{kind:?} {value}"
            );
        }
    }

    #[test]
    fn values_of_another_kind_are_refused() {
        for (kind, value) in [
            (FieldKind::Date, "2023-02-29"),
            (FieldKind::Date, "2023-13-01"),
            (FieldKind::Date, "2023-1-1"),
            (FieldKind::Date, "yesterday"),
            (FieldKind::Email, "nobody"),
            (FieldKind::Email, "@b"),
            (FieldKind::Email, "a b@c"),
            (FieldKind::File, "x"),
            (FieldKind::Number, "1."),
            (FieldKind::Number, "1e5"),
            (FieldKind::Otp, "not base32!"),
            (FieldKind::Phone, "call me"),
            (FieldKind::Phone, "--"),
            (FieldKind::Text, "two\nlines"),
            (FieldKind::Password, "nul\0"),
            (FieldKind::Multiline, "bell\u{7}"),
            (FieldKind::Url, "https://a b"),
        ] {
            let refused = Err(Code::InvalidValue.into());
            assert_eq!(
                check(kind, &Secret::from(value)),
                refused,
                "{kind:?} {value}"
            );
        }
        let not_text = Secret::new(vec![0xff]);
        assert_eq!(
            check(FieldKind::Text, &not_text),
            Err(Code::InvalidValue.into())
        );
    }
}
