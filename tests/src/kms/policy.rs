//! Who may do what, as a key policy says.

use serde_json::Value;

use super::Registers;

/// Whether a statement allows it and none denies it.
pub(super) fn allows(
    policy: &str,
    action: &str,
    caller: &str,
    recipient: Option<&Registers>,
) -> bool {
    let policy: Value = serde_json::from_str(policy).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let holds = |effect: &str| {
        statements.iter().any(|statement| {
            statement["Effect"] == effect
                && any(&statement["Action"], |pattern| matches(pattern, action))
                && any(&statement["Principal"]["AWS"], |name| {
                    name == caller || name == "*"
                })
                && conditions_hold(&statement["Condition"], recipient)
        })
    };
    holds("Allow") && !holds("Deny")
}

fn conditions_hold(conditions: &Value, recipient: Option<&Registers>) -> bool {
    let Some(operators) = conditions.as_object() else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        assert_eq!(
            operator, "StringEqualsIgnoreCase",
            "the stand-in knows no other"
        );
        keys.as_object().expect("keys").iter().all(|(key, values)| {
            let register = key.strip_prefix("kms:RecipientAttestation:");
            let index = match register.expect("the stand-in knows no other") {
                "ImageSha384" => 0,
                pcr => pcr.trim_start_matches("PCR").parse().expect("a register"),
            };
            let value = recipient.and_then(|recipient| recipient.pcrs.get(&index));
            value.is_some_and(|value| any(values, |wanted| wanted.eq_ignore_ascii_case(value)))
        })
    })
}

fn any(one_or_more: &Value, is: impl Fn(&str) -> bool) -> bool {
    match one_or_more {
        Value::String(text) => is(text),
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}

fn matches(pattern: &str, action: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == action, |start| action.starts_with(start))
}
