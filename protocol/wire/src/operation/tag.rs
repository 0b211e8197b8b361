//! `tag.*`: words that items are found by.

use minicbor::{Decode, Encode};

use super::{Done, operation};

/// A tag.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Tag {
    /// Name: lower-case letters, digits, space, `_` and `-`; begins with a letter or digit.
    #[n(0)]
    pub name: String,
    /// Color for display.
    #[n(1)]
    pub color: Option<String>,
    /// What it is for.
    #[n(2)]
    pub description: Option<String>,
}

/// `tag.list`: every tag with its count.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {}
operation!(List => Tags, "tag.list", Session);

/// Tags by name.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Tags {
    /// Every tag.
    #[n(0)]
    pub tags: Vec<Counted>,
}

/// A tag and how many items carry it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Counted {
    /// The tag.
    #[n(0)]
    pub tag: Tag,
    /// Items that carry it, the trash not counted.
    #[n(1)]
    pub items: u32,
}

/// `tag.put`: creates a tag or replaces its color and description.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Put {
    /// The tag.
    #[n(0)]
    pub tag: Tag,
}
operation!(Put => Done, "tag.put", Session, once);

/// `tag.rename`: gives a tag another name that is not taken.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Rename {
    /// Name now.
    #[n(0)]
    pub name: String,
    /// Name from now on.
    #[n(1)]
    pub replacement: String,
}
operation!(Rename => Done, "tag.rename", Session, once);

/// `tag.merge`: moves every item of one tag to another and removes the first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Merge {
    /// Tag that goes.
    #[n(0)]
    pub name: String,
    /// Tag that stays.
    #[n(1)]
    pub into: String,
}
operation!(Merge => Done, "tag.merge", Session, once);

/// `tag.remove`: removes a tag from every item.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Remove {
    /// Which.
    #[n(0)]
    pub name: String,
}
operation!(Remove => Done, "tag.remove", Session, once);
