//! Bounds of what owners show each other.

use vettid_wire::limits;
use vettid_wire::operation::invitation::Card;

use crate::stop::Stop;
use crate::text;

/// Refuses a card of this owner that others would not take.
pub(crate) fn check(card: &Card) -> Result<(), Stop> {
    text::at_most("card fields", limits::CARD_FIELDS, card.fields.len())?;
    for field in &card.fields {
        text::line("card field", limits::CARD_NAME, &field.name)?;
        text::at_most("card value", limits::CARD_VALUE, field.value.len())?;
        text::utf8(&field.value)?;
    }
    Ok(())
}

/// Whether a card of another owner is one that can be shown.
pub(crate) fn is_bounded(card: &Card) -> bool {
    check(card).is_ok()
}
