//! How MLS groups are kept: how far apart messages may come and still be opened.

use openmls::prelude::{
    MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, SenderRatchetConfiguration,
};

use super::primitives::Suite;

/// How far apart messages of one sender may come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Window {
    /// So near to each other that whatever is overtaken can still be opened.
    Near,
    /// In order. After a change that was missing: messages that came before it were held, and others may
    /// come before they do, more than keys are kept for. What is ahead comes again.
    Ordered,
    /// Some are overtaken, and many may never come.
    Usual,
}

/// How a group of a suite is kept.
pub(super) fn of(suite: Suite, window: Window) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(past_epochs(suite))
        .sender_ratchet_configuration(ratchet(suite, window))
        .use_ratchet_tree_extension(true)
        .build()
}

/// Earlier epochs whose messages can still be opened.
pub(super) const fn past_epochs(suite: Suite) -> usize {
    match suite {
        // Each is written with every message, members included.
        Suite::Classic => 2,
        // Those of the other side cross a renewal.
        Suite::Hybrid => 5,
    }
}

/// How far apart messages of one sender may come.
pub(super) fn ratchet(suite: Suite, window: Window) -> SenderRatchetConfiguration {
    match (suite, window) {
        // The one that is opened takes a place too.
        (_, Window::Near) => SenderRatchetConfiguration::new(OUT_OF_ORDER, OUT_OF_ORDER - 1),
        (_, Window::Ordered) => SenderRatchetConfiguration::new(OUT_OF_ORDER, 0),
        (Suite::Classic, Window::Usual) => {
            SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD_IN_GROUP)
        }
        (Suite::Hybrid, Window::Usual) => SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD),
    }
}

/// Messages are padded to a multiple of this, bytes: the host that keeps them sees their size. What
/// surrounds a text takes about half of it, so that all short ones are alike.
pub(super) const PADDING: usize = 256;
/// Messages of one sender that may be overtaken by a later one and still be opened.
const OUT_OF_ORDER: u32 = 64;
/// Messages of one sender that may be missing before one that is opened: keys are derived for them.
/// A connection applies them in order, but for those that nothing took the place of.
const FORWARD: u32 = 256;
/// The same in a group, where whoever comes back is not sent what its node did not keep.
const FORWARD_IN_GROUP: u32 = 2_000;
