//! What a tag may be called, and how many there may be.

use vettid_store::View;
use vettid_wire::limits;
use vettid_wire::refusal::{Code, Refusal};

use crate::stop::Stop;
use crate::text;

/// Refuses what is no name of a tag: `[a-z0-9][a-z0-9 _-]*`, at most [`limits::TAG_NAME`] bytes.
pub(crate) fn check_name(name: &str) -> Result<(), Stop> {
    text::at_most("tag name", limits::TAG_NAME, name.len())?;
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let begins = name.bytes().next().is_some_and(alphanumeric);
    let goes_on = name
        .bytes()
        .all(|byte| alphanumeric(byte) || b" _-".contains(&byte));
    if begins && goes_on {
        Ok(())
    } else {
        Err(Code::InvalidValue.into())
    }
}

/// Refuses `names` when those that are not there yet would be too many.
pub(crate) fn check_room(view: &View<'_>, names: &[String]) -> Result<(), Stop> {
    let mut more = 0;
    for name in names {
        more += usize::from(view.tag(name)?.is_none());
    }
    let count = usize::try_from(view.count_tags()?)
        .unwrap_or(usize::MAX)
        .saturating_add(more);
    if more > 0 && count > limits::TAGS {
        return Err(Refusal::limit("tags", limits::TAGS, count).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_lower_case_letters_digits_and_few_signs() {
        for good in ["a", "0", "work 2", "a_b-c", "x".repeat(32).as_str()] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", " a", "-a", "_", "A", "ä", "a\n", "a@b"] {
            assert_eq!(check_name(bad), Err(Code::InvalidValue.into()), "{bad}");
        }
        let long = "x".repeat(33);
        assert_eq!(
            check_name(&long),
            Err(Refusal::limit("tag name", 32, 33).into())
        );
    }
}
