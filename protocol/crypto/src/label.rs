//! Every domain label of the network.

/// A domain: what bytes were signed, sealed, derived or hashed for.
///
/// A label goes in front of everything it covers, length first, so that no two purposes can ever
/// produce the same bytes. Labels are never reused, and never change their meaning.
macro_rules! labels {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A domain: what bytes were signed, sealed, derived or hashed for.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[non_exhaustive]
        pub enum Label {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Label {
            /// Every label, for the table in the docs.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The bytes that enter the computation.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("vettid/1/", $text),)+
                }
            }

            /// What it is for, as in the docs.
            #[must_use]
            pub const fn purpose(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }
        }
    };
}

labels! {
    /// Hash of one event of a vault's audit chain.
    AuditEvent = "audit-event",
    /// Signature over the head of a vault's audit chain.
    AuditHead = "audit-head",
    /// Hash of the bundle that a document's `user_data` commits to.
    Bundle = "attestation-bundle",
    /// MAC over the outer header of a Protean Credential.
    CredentialHeader = "credential-header",
    /// Inner layer of a Protean Credential, under the password.
    CredentialInner = "credential-inner",
    /// Outer layer of a Protean Credential, sealed to the current CEK.
    CredentialOuter = "credential-outer",
    /// Key of one item's critical values.
    CriticalKey = "critical-key",
    /// Critical values of one item version.
    CriticalValues = "critical-values",
    /// Renewal of a device's bus credentials.
    BusRenewal = "bus-renewal",
    /// Key that a password becomes.
    PasswordKey = "password-key",
    /// Id of a device key.
    DeviceId = "device-id",
    /// Configuration that the enclave runs with, as attested.
    EnclaveConfig = "enclave-config",
    /// Host's half of an invitation's secret.
    InvitationHost = "invitation-host",
    /// Vault's half of an invitation's secret.
    InvitationVault = "invitation-vault",
    /// Critical private key of an owner.
    OwnerKey = "owner-key",
    /// Digest of the anchors of a network, its id.
    NetworkId = "network-id",
    /// Signature of a network file.
    NetworkFile = "network-file",
    /// Node's own signing seed, from the sealing root of its first release.
    NodeIdentity = "node-identity",
    /// Proof of the owner, sealed to a transaction key.
    OwnerProof = "owner-proof",
    /// Statement by which one identity key follows another.
    Rotation = "identity-rotation",
    /// Hash of one vault log record.
    RecordHash = "record-hash",
    /// What one transaction changed, in a record.
    RecordChangeset = "record-changeset",
    /// Snapshot reference inside a checkpoint record.
    RecordCheckpoint = "record-checkpoint",
    /// Digest of the sealed content of a record, for the header beside it.
    RecordContent = "record-content",
    /// Header of a vault.
    RecordHeader = "record-header",
    /// Secret output of an operation, under the key that its caller enclosed.
    ReplyOutput = "reply-output",
    /// Sealing key of one vault, from the platform's sealing root.
    SealingKey = "sealing-key",
    /// Sealing root of a node, under a data key of the platform's key service.
    SealingRoot = "sealing-root",
    /// Digest of a sealed root, in the document of the enclave that sealed it.
    SealedRoot = "sealed-root",
    /// What vaults may be moved with from one release to another, from the sealing root of the first.
    HandoverRoot = "handover-root",
    /// Key of one vault's header on its way to another release.
    HandoverKey = "handover-key",
    /// What the enclave of one release seals for that of another.
    Handover = "handover",
    /// Digest of a handover, in the document of the enclave that made it.
    HandoverDocument = "handover-document",
    /// What an enclave has taken over from earlier releases, under its own sealing root.
    Inheritance = "inheritance",
    /// Key of an inheritance, from the platform's sealing root.
    InheritanceKey = "inheritance-key",
    /// Key that earlier releases seal to, from the platform's sealing root.
    OfferKey = "offer-key",
    /// Digest of an offer, in the document of the enclave that made it.
    OfferDocument = "offer-document",
    /// Sealing root of one release, from the key in an emulated enclave's folder.
    EmulatedSealingRoot = "emulated-sealing-root",
    /// Enclave's own state, under the platform's sealing root.
    SealedState = "sealed-state",
    /// Evidence bound to one session.
    SessionEvidence = "session-evidence",
    /// Prologue of the session's handshake.
    SessionPrologue = "session-prologue",
    /// Pre-shared key of the session, from the ML-KEM secret.
    SessionPsk = "session-psk",
    /// One chunk of a sealed snapshot.
    SnapshotChunk = "snapshot-chunk",
    /// Digest of all sealed chunks of a snapshot.
    SnapshotDigest = "snapshot-digest",
    /// Id of a vault, from its first identity key.
    VaultId = "vault-id",
    /// Wrapped vault key in a header.
    VaultKeyWrap = "vault-key-wrap",
    /// Key that wraps the vault key, from PIN and pepper.
    VaultKeyWrapping = "vault-key-wrapping",
    /// File of the owner's app, under its own key.
    AppState = "app-state",
    /// One chunk of an attachment, under its own key.
    AttachmentChunk = "attachment-chunk",
    /// Key of one chunk of an attachment.
    AttachmentKey = "attachment-key",
    /// Request of a device to store or fetch a chunk of an attachment.
    AttachmentRequest = "attachment-request",
    /// Commitment of an invitation to connect to the key that answers it.
    ConnectCommitment = "connect-commitment",
    /// Commitment to a random number before the other side has shown its own.
    ConnectNonce = "connect-nonce",
    /// What an inviting and an accepting vault seal for each other.
    ConnectSealed = "connect-sealed",
    /// Everything that two vaults said before they became connected.
    ConnectTranscript = "connect-transcript",
    /// Vault's signature that it takes part in a connection.
    ConnectSignature = "connect-signature",
    /// Id of a group, from the vault that creates it.
    GroupId = "group-id",
    /// Proof of a vault to its own enclave that it is the vault of a home record.
    HomeClaim = "home-claim",
    /// Name under which a home record is found.
    HomeLocation = "home-location",
    /// Signature of a home record.
    HomeRecord = "home-record",
    /// Home record as it lies in the network.
    HomeSealed = "home-sealed",
    /// Key that home records of one vault are sealed under, from its id.
    HomeKey = "home-key",
    /// Name of the deliveries from one vault to another, for the sender's host.
    LaneName = "lane-name",
    /// Name of a vault's mailbox, for its host.
    MailboxName = "mailbox-name",
    /// What a closed vault has received, and what waits to be delivered.
    MailboxSealed = "mailbox-sealed",
    /// Key of all mailboxes of a node, from the sealing root of its first release.
    MailboxKey = "mailbox-key",
    /// Statement by which a vault that lost a connection's state asks to go on.
    Reconnect = "reconnect",
    /// Signature of a network's roster.
    Roster = "roster",
    /// Digits that two owners compare.
    SafetyCode = "safety-code",
}

impl Label {
    /// Appends the label and `parts`, each with its length in front (8 bytes, big-endian).
    #[must_use]
    pub fn frame(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(64 + parts.iter().map(|part| part.len() + 8).sum::<usize>());
        for part in core::iter::once(&self.as_str().as_bytes()).chain(parts) {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_labels_are_the_same() {
        let texts: BTreeSet<_> = Label::ALL.iter().map(|label| label.as_str()).collect();

        assert_eq!(texts.len(), Label::ALL.len());
    }

    #[test]
    fn moving_a_byte_between_parts_changes_the_frame() {
        assert_ne!(
            Label::VaultId.frame(&[b"ab", b"c"]),
            Label::VaultId.frame(&[b"a", b"bc"])
        );
    }

    #[test]
    fn frames_of_two_labels_differ_over_the_same_parts() {
        assert_ne!(
            Label::VaultId.frame(&[b"x"]),
            Label::DeviceId.frame(&[b"x"])
        );
    }
}
