//! The grammar of `item`.

use clap::{Args, Subcommand, ValueEnum};
use vettid_sdk::wire::id::ItemId;
use vettid_sdk::wire::operation::item as wire;

use super::field::{Labeled, Valued};

/// What to do with items.
#[derive(Clone, Debug, Eq, PartialEq, Subcommand)]
pub(crate) enum Item {
    /// Create an item, or change one
    Put(Box<Put>),
    /// One item; values of data items only
    Get {
        /// Its id
        id: ItemId,
    },
    /// Items by name
    List(Filter),
    /// Items by words in names, tags, labels and values of data items
    Search {
        /// Words; each matches from its beginning
        text: String,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// One item with its values; critical ones need the password
    Reveal {
        /// Its id
        id: ItemId,
        /// An earlier version of it
        #[arg(long, value_name = "N")]
        version: Option<u64>,
    },
    /// Earlier versions of an item
    History {
        /// Its id
        id: ItemId,
    },
    /// One-time code of now
    Otp {
        /// Id of the item
        id: ItemId,
        /// Number of the field, if there are several
        #[arg(long, value_name = "N")]
        field: Option<u32>,
    },
    /// Move an item to the trash, or remove it for good
    Remove {
        /// Its id
        id: ItemId,
        /// Version that you saw; without it, the current one
        #[arg(long, value_name = "N")]
        base: Option<u64>,
        /// For good, with its history
        #[arg(long)]
        forever: bool,
    },
    /// Take an item out of the trash, or return to an earlier version
    Restore {
        /// Its id
        id: ItemId,
        /// Version that you saw; without it, the current one
        #[arg(long, value_name = "N")]
        base: Option<u64>,
        /// Version to return to
        #[arg(long, value_name = "N")]
        version: Option<u64>,
    },
}

/// Which items.
#[derive(Args, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Filter {
    /// Only this category
    #[arg(long, value_enum)]
    pub(crate) category: Option<Category>,
    /// Only with this tag
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Only favorites
    #[arg(long)]
    pub(crate) favorite: bool,
    /// The trash instead
    #[arg(long)]
    pub(crate) removed: bool,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// An item to write. Without --id it is a new one; with it, what is not given stays.
#[derive(Args, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Put {
    /// Item to change
    #[arg(long)]
    pub(crate) id: Option<ItemId>,
    /// Version that you saw; without it, the current one
    #[arg(long, value_name = "N", requires = "id")]
    pub(crate) base: Option<u64>,
    /// Name
    #[arg(long, required_unless_present = "id")]
    pub(crate) name: Option<String>,
    /// Category [default: other]
    #[arg(long, value_enum)]
    pub(crate) category: Option<Category>,
    /// How well its values are kept
    #[arg(long, value_enum, required_unless_present = "id")]
    pub(crate) sensitivity: Option<Sensitivity>,
    /// Field whose value may be seen by others; data items only
    #[arg(long, value_name = "[KIND:]LABEL=VALUE")]
    pub(crate) field: Vec<Valued>,
    /// Field whose value is asked for, or read with the other secrets
    #[arg(long, value_name = "[KIND:]LABEL")]
    pub(crate) secret_field: Vec<Labeled>,
    /// Field whose value is all of standard input
    #[arg(long, value_name = "[KIND:]LABEL")]
    pub(crate) field_stdin: Option<Labeled>,
    /// Field to drop
    #[arg(long, value_name = "LABEL", requires = "id")]
    pub(crate) remove_field: Vec<String>,
    /// Tag; given tags replace those of the item
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Whether it is a favorite
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) favorite: Option<bool>,
    /// Notes that may be seen by others; data items only
    #[arg(long, value_name = "TEXT", conflicts_with = "secret_notes")]
    pub(crate) notes: Option<String>,
    /// Notes that are asked for, or read with the other secrets, last
    #[arg(long)]
    pub(crate) secret_notes: bool,
}

/// What an item is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Category {
    /// Access to an API
    ApiKey,
    /// Account at a bank
    BankAccount,
    /// Payment or member card
    Card,
    /// One way to reach somebody
    ContactPoint,
    /// Wallet of a crypto currency
    CryptoWallet,
    /// Passport, identity card, license
    IdentityDocument,
    /// Account with name and password
    Login,
    /// Health
    Medical,
    /// Free text
    Note,
    /// Anything else
    Other,
    /// Car, motorcycle, boat
    Vehicle,
}

impl From<Category> for wire::Category {
    fn from(category: Category) -> Self {
        match category {
            Category::ApiKey => Self::ApiKey,
            Category::BankAccount => Self::BankAccount,
            Category::Card => Self::Card,
            Category::ContactPoint => Self::ContactPoint,
            Category::CryptoWallet => Self::CryptoWallet,
            Category::IdentityDocument => Self::IdentityDocument,
            Category::Login => Self::Login,
            Category::Medical => Self::Medical,
            Category::Note => Self::Note,
            Category::Other => Self::Other,
            Category::Vehicle => Self::Vehicle,
        }
    }
}

/// How well the values of an item are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Sensitivity {
    /// Read by every device
    Data,
    /// Values only by `item reveal`, which leaves a trace in the audit chain
    Secret,
    /// Values only with the password
    Critical,
}

impl From<Sensitivity> for wire::Sensitivity {
    fn from(sensitivity: Sensitivity) -> Self {
        match sensitivity {
            Sensitivity::Data => Self::Data,
            Sensitivity::Secret => Self::Secret,
            Sensitivity::Critical => Self::Critical,
        }
    }
}
