//! Remembered idempotency keys: a repeated call gets its first reply again.
//!
//! Keys are kept in the subscriber, scoped to the client and the call. The request is kept as 64 bits of a
//! MAC, since its code could be found from a plain hash by trying a million codes.

use sha2::{Digest as _, Sha256};

use super::Subscriber;
use super::challenge_id::ChallengeId;
use super::code::KeyId;
use super::policy::Policy;
use super::tagged::Tagged;
use super::verdict::Verdict;
use crate::clock::Timestamp;

/// The longest idempotency key, in printable ASCII characters.
pub(crate) const IDEMPOTENCY_KEY_CHARS_MAX: usize = 64;

/// The idempotency key of a call, with a hash of its request.
#[derive(Clone, Copy)]
pub struct Idempotency {
    key: [u8; 16],
    request: [u8; 32],
}

impl std::fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Idempotency(…)")
    }
}

impl Idempotency {
    /// The key `key`, sent by `client` in `call`, over the request's canonical fields (`None`: absent).
    pub(crate) fn new(client: &str, call: &str, key: &str, request: &[Option<&[u8]>]) -> Self {
        let scope = Tagged::new(Sha256::new(), "idempotency-key/1")
            .field(client.as_bytes())
            .field(call.as_bytes())
            .field(key.as_bytes());
        let hash: [u8; 32] = scope.into_inner().finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self { key, request: request_hash(request).finalize().into() }
    }

    pub(crate) fn remembered(&self, policy: &Policy) -> RememberedKey {
        let keys = policy.keys.active();
        RememberedKey { key: self.key, request: keys.request_mac(&self.request), made_with: keys.id() }
    }
}

fn request_hash(fields: &[Option<&[u8]>]) -> Sha256 {
    let tagged = Tagged::new(Sha256::new(), "request/1");
    fields.iter().fold(tagged, |tagged, field| tagged.optional(*field)).into_inner()
}

/// An idempotency key and its request, as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RememberedKey {
    key: [u8; 16],
    request: u64,
    made_with: KeyId,
}

/// A remembered call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) key: RememberedKey,
    pub(crate) challenge: ChallengeId,
    pub(crate) act: RememberedAct,
}

/// What a remembered call did; its reply is built from this and the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RememberedAct {
    Issued,
    Attempted(Verdict),
    Voided,
    Resent { ordinal: u8, at: Timestamp },
    Cancelled { at: Timestamp },
}

/// The outcome of a call that may be a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Decided now.
    Fresh(T),
    /// Decided when the same call was made before.
    Replayed(T),
    /// The idempotency key was used for another request.
    KeyReused,
}

impl Subscriber {
    /// The remembered call that `idempotency` repeats, if any; an error if its key was used for another
    /// request.
    pub(crate) fn recall(
        &self,
        idempotency: Option<&Idempotency>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Option<&Remembered>, KeyReused> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        let same_key = |remembered: &&Remembered| remembered.key.key == idempotency.key;
        let held = |remembered: &&Remembered| self.challenge(remembered.challenge, now).is_some();
        // A key may be used again once its challenge is forgotten: then both are here until that is dropped.
        let found = self.remembered.iter().rev().filter(same_key).find(held);
        let Some(remembered) = found else { return Ok(None) };
        let keys = policy.keys.find(remembered.key.made_with).ok_or(KeyReused)?;
        let same_request = keys.request_mac(&idempotency.request) == remembered.key.request;
        if same_request { Ok(Some(remembered)) } else { Err(KeyReused) }
    }
}

/// The idempotency key was used for another request.
#[derive(Debug)]
pub(crate) struct KeyReused;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscriber::policy::tests::policy;

    // Worked out by another implementation, from `DESIGN.md`.
    #[test]
    fn a_call_and_a_key_file_give_this_mark() {
        let keys = "7 f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff";
        let policy = policy().with_keys(crate::keys::parse(keys).unwrap());
        let request: &[Option<&[u8]>] = &[Some(b"BUDI"), None, Some(b"123456")];
        let mark = Idempotency::new("core", "verify", "key-1", request).remembered(&policy);
        let expected = RememberedKey {
            key: 0x24a2_3d74_745b_4b43_b9de_0ce6_efcf_818b_u128.to_be_bytes(),
            request: 0x9662_93d4_66dc_33d3,
            made_with: KeyId(7),
        };
        assert_eq!(mark, expected);
    }
}
