//! `item.*`: what an owner keeps.

use minicbor::{Decode, Encode};

use super::{Done, operation};
use crate::Secret;
use crate::id::{DeviceId, ItemId};
use crate::time::UnixMillis;

/// What an item is about.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Category {
    /// Access to an API.
    #[n(0)]
    ApiKey,
    /// Account at a bank.
    #[n(1)]
    BankAccount,
    /// Payment or member card.
    #[n(2)]
    Card,
    /// One way to reach somebody.
    #[n(3)]
    ContactPoint,
    /// Wallet of a crypto currency.
    #[n(4)]
    CryptoWallet,
    /// Passport, identity card, license.
    #[n(5)]
    IdentityDocument,
    /// Account with name and password.
    #[n(6)]
    Login,
    /// Health.
    #[n(7)]
    Medical,
    /// Free text.
    #[n(8)]
    Note,
    /// Anything else.
    #[n(9)]
    Other,
    /// Car, motorcycle, boat.
    #[n(10)]
    Vehicle,
}

/// How well the values of an item are kept.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Sensitivity {
    /// Read by every device of the owner.
    #[n(0)]
    Data,
    /// Values only by `item.reveal`, which is audited.
    #[n(1)]
    Secret,
    /// Values under a key that only the Protean Credential holds.
    #[n(2)]
    Critical,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum FieldKind {
    /// Postal address.
    #[n(0)]
    Address,
    /// Calendar date, ISO 8601.
    #[n(1)]
    Date,
    /// E-mail address.
    #[n(2)]
    Email,
    /// Reference to an attachment.
    #[n(3)]
    File,
    /// Text of several lines.
    #[n(4)]
    Multiline,
    /// Decimal number.
    #[n(5)]
    Number,
    /// Seed of one-time codes: an `otpauth:` URI or base32.
    #[n(6)]
    Otp,
    /// Password.
    #[n(7)]
    Password,
    /// Telephone number.
    #[n(8)]
    Phone,
    /// One line of text.
    #[n(9)]
    Text,
    /// Web address.
    #[n(10)]
    Url,
}

/// One field of an item.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Field {
    /// Number within the item; given by the vault, never reused. Zero in a draft asks for one.
    #[n(0)]
    pub id: u32,
    /// Label, as the owner sees it.
    #[n(1)]
    pub label: String,
    /// What the value is.
    #[n(2)]
    pub kind: FieldKind,
    /// Value in UTF-8. In a draft, absent keeps the current value; in a reply, absent is withheld.
    #[n(3)]
    pub value: Option<Secret>,
}

/// What an owner writes.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Draft {
    /// Name.
    #[n(0)]
    pub name: String,
    /// Category.
    #[n(1)]
    pub category: Category,
    /// Sensitivity. Cannot become weaker or stronger later than `critical` on either side.
    #[n(2)]
    pub sensitivity: Sensitivity,
    /// Fields in the owner's order.
    #[n(3)]
    pub fields: Vec<Field>,
    /// Tags.
    #[n(4)]
    pub tags: Vec<String>,
    /// Whether the owner marked it.
    #[n(5)]
    pub favorite: bool,
    /// Notes in UTF-8; as sensitive as the fields, but never critical.
    #[n(6)]
    pub notes: Option<Secret>,
}

/// An item as it is kept.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Item {
    /// Its id.
    #[n(0)]
    pub id: ItemId,
    /// Grows by one at every change.
    #[n(1)]
    pub version: u64,
    /// What the owner wrote; withheld values are absent.
    #[n(2)]
    pub draft: Draft,
    /// First put.
    #[n(3)]
    pub created: UnixMillis,
    /// Last change.
    #[n(4)]
    pub updated: UnixMillis,
    /// In the trash since.
    #[n(5)]
    pub removed: Option<UnixMillis>,
}

/// `item.put`: creates or replaces a data or secret item.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Put {
    /// Item to replace; absent to create one.
    #[n(0)]
    pub id: Option<ItemId>,
    /// Version that the change is based on; required when replacing.
    #[n(1)]
    pub base: Option<u64>,
    /// What to write.
    #[n(2)]
    pub draft: Draft,
}
operation!(Put => Written, "item.put", Session, once);

/// `item.put-critical`: creates or replaces a critical item. The draft's values are absent; secret
/// input: [`CriticalValues`] in the order of the draft's fields.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct PutCritical {
    /// Item to replace; absent to create one.
    #[n(0)]
    pub id: Option<ItemId>,
    /// Version that the change is based on; required when replacing.
    #[n(1)]
    pub base: Option<u64>,
    /// What to write, without values.
    #[n(2)]
    pub draft: Draft,
}
operation!(PutCritical => Written, "item.put-critical", Owner);

/// Values of a critical item.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct CriticalValues {
    /// One value a field, in their order.
    #[n(0)]
    pub values: Vec<Secret>,
}

/// A written item.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Written {
    /// Its id.
    #[n(0)]
    pub id: ItemId,
    /// Its version now.
    #[n(1)]
    pub version: u64,
}

/// `item.get`: one item; values of a data item only.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Get {
    /// Which.
    #[n(0)]
    pub id: ItemId,
}
operation!(Get => Item, "item.get", Session);

/// `item.reveal`: one secret item with its values.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Reveal {
    /// Which.
    #[n(0)]
    pub id: ItemId,
    /// An earlier version of it.
    #[n(1)]
    pub version: Option<u64>,
}
operation!(Reveal => Item, "item.reveal", Session);

/// `item.reveal-critical`: one critical item with its values.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct RevealCritical {
    /// Which.
    #[n(0)]
    pub id: ItemId,
    /// An earlier version of it.
    #[n(1)]
    pub version: Option<u64>,
}
operation!(RevealCritical => Item, "item.reveal-critical", Owner);

/// `item.list`: summaries, by name.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {
    /// Only this category.
    #[n(0)]
    pub category: Option<Category>,
    /// Only with this tag.
    #[n(1)]
    pub tag: Option<String>,
    /// Only favorites.
    #[n(2)]
    pub favorite: bool,
    /// The trash instead.
    #[n(3)]
    pub removed: bool,
    /// Continue behind this entry.
    #[n(4)]
    pub after: Option<Cursor>,
    /// At most this many, and never more than a page.
    #[n(5)]
    pub limit: Option<u32>,
}
operation!(List => Summaries, "item.list", Session);

/// Place in a list.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Cursor {
    /// Name of the last entry seen.
    #[n(0)]
    pub name: String,
    /// Its id.
    #[n(1)]
    pub id: ItemId,
}

/// Some items.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Summaries {
    /// Summaries in order.
    #[n(0)]
    pub items: Vec<Summary>,
    /// Whether more follow.
    #[n(1)]
    pub more: bool,
}

/// An item without its fields.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Summary {
    /// Its id.
    #[n(0)]
    pub id: ItemId,
    /// Its version.
    #[n(1)]
    pub version: u64,
    /// Name.
    #[n(2)]
    pub name: String,
    /// Category.
    #[n(3)]
    pub category: Category,
    /// Sensitivity.
    #[n(4)]
    pub sensitivity: Sensitivity,
    /// Tags.
    #[n(5)]
    pub tags: Vec<String>,
    /// Whether the owner marked it.
    #[n(6)]
    pub favorite: bool,
    /// Last change.
    #[n(7)]
    pub updated: UnixMillis,
    /// In the trash since.
    #[n(8)]
    pub removed: Option<UnixMillis>,
}

/// `item.search`: full-text search over names, tags, labels and the values of data items.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Search {
    /// Words; each matches from its beginning, all must match.
    #[n(0)]
    pub text: Secret,
    /// At most this many, and never more than a page.
    #[n(1)]
    pub limit: Option<u32>,
}
operation!(Search => Summaries, "item.search", Session);

/// `item.history`: earlier versions of an item, newest first, without values.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct History {
    /// Which.
    #[n(0)]
    pub id: ItemId,
}
operation!(History => Versions, "item.history", Session);

/// Versions of an item.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Versions {
    /// Newest first; the first one is current.
    #[n(0)]
    pub versions: Vec<Version>,
}

/// One version of an item.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Version {
    /// Its number.
    #[n(0)]
    pub version: u64,
    /// Name that it had.
    #[n(1)]
    pub name: String,
    /// When it was written.
    #[n(2)]
    pub written: UnixMillis,
    /// Device that wrote it.
    #[n(3)]
    pub device: DeviceId,
}

/// `item.remove`: into the trash; from the trash for good.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Remove {
    /// Which.
    #[n(0)]
    pub id: ItemId,
    /// Version that is removed.
    #[n(1)]
    pub base: u64,
    /// For good, with its history.
    #[n(2)]
    pub forever: bool,
}
operation!(Remove => Done, "item.remove", Session, once);

/// `item.restore`: out of the trash, or back to an earlier version.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Restore {
    /// Which.
    #[n(0)]
    pub id: ItemId,
    /// Version that is current.
    #[n(1)]
    pub base: u64,
    /// Version to return to; absent restores from the trash as it is.
    #[n(2)]
    pub version: Option<u64>,
}
operation!(Restore => Written, "item.restore", Session, once);

/// `item.otp`: the one-time code of now, without its seed.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Otp {
    /// Which item.
    #[n(0)]
    pub id: ItemId,
    /// Which field; absent takes the first seed.
    #[n(1)]
    pub field: Option<u32>,
}
operation!(Otp => OtpCode, "item.otp", Session);

/// A one-time code.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct OtpCode {
    /// Decimal digits.
    #[n(0)]
    pub code: Secret,
    /// Seconds that it is valid yet.
    #[n(1)]
    pub seconds_left: u32,
}
