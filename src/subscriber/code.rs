//! Codes: derived from the challenge under a key, never stored.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::challenge_id::{ChallengeId, Salt};
use super::id::SubscriberId;
use super::tagged::Tagged;
use super::transaction::Digest;

/// The longest code.
pub(crate) const CODE_DIGITS_MAX: usize = 10;
/// The shortest code (NIST SP 800-63B-4 §3.1.3.2).
pub(crate) const CODE_DIGITS_MIN: usize = 6;

/// How many digits a code has: 6 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub struct CodeLength(u8);

impl CodeLength {
    /// [`CODE_DIGITS_MIN`].
    pub(crate) const MIN: Self = Self(CODE_DIGITS_MIN as u8);
    /// The default for large payments.
    pub(crate) const EIGHT: Self = Self(8);
    /// [`CODE_DIGITS_MAX`].
    pub(crate) const MAX: Self = Self(CODE_DIGITS_MAX as u8);

    /// `None` outside 6 to 10.
    pub(crate) fn new(digits: u8) -> Option<Self> {
        (CODE_DIGITS_MIN..=CODE_DIGITS_MAX).contains(&usize::from(digits)).then_some(Self(digits))
    }

    pub(crate) fn digits(self) -> u8 {
        self.0
    }
}

/// The digits. They have no `Display`, no `Serialize` and no readable `Debug`, and are wiped when
/// dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Code {
    digits: [u8; CODE_DIGITS_MAX],
    length: u8,
}

impl Code {
    /// The code that `text` spells: 6 to 10 ASCII digits and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let length = CodeLength::new(u8::try_from(text.len()).ok()?)?.0;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut digits = [0; CODE_DIGITS_MAX];
        digits[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { digits, length })
    }

    fn from_number(number: u64, length: CodeLength) -> Self {
        let mut digits = [0; CODE_DIGITS_MAX];
        let mut rest = number;
        for digit in digits[..usize::from(length.0)].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        rest.zeroize();
        Self { digits, length: length.0 }
    }

    /// The digits in ASCII, only for the SMS.
    pub fn expose(&self) -> &[u8] {
        &self.digits[..usize::from(self.length)]
    }

    /// Whether both are the same code, in a time that depends on neither.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        (self.digits.ct_eq(&other.digits) & self.length.ct_eq(&other.length)).into()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// The number of a master key in the key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyId(pub u16);

/// The length of a master key, in bytes.
pub(crate) const MASTER_KEY_BYTES: usize = 32;

/// The subkeys of one master key, one for each purpose (HKDF, RFC 5869).
#[derive(Clone)]
pub(crate) struct KeySet {
    id: KeyId,
    code: Hmac<Sha256>,
    idempotency: Hmac<Sha256>,
    fingerprint: u64,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({:?}, …)", self.id)
    }
}

impl KeySet {
    fn new(id: KeyId, master: &[u8; MASTER_KEY_BYTES]) -> Self {
        let derivation = Hkdf::<Sha256>::new(None, master);
        let expand = |purpose: &str, output: &mut [u8]| {
            derivation.expand(purpose.as_bytes(), output).expect("8 and 32 bytes are a valid HKDF output");
        };
        let subkey = |purpose: &str| {
            let mut key = Zeroizing::new([0; 32]);
            expand(purpose, key.as_mut_slice());
            Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length")
        };
        let mut fingerprint = [0; 8];
        expand("fingerprint/1", &mut fingerprint);
        let fingerprint = u64::from_be_bytes(fingerprint);
        Self { id, code: subkey("code/1"), idempotency: subkey("idempotency/1"), fingerprint }
    }

    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    /// The code of a challenge: the first 64 bits of HMAC-SHA-256 over everything that it is bound
    /// to, reduced to `length` digits (the bias is below 10^10 / 2^64).
    pub(crate) fn code(
        &self,
        subscriber: &SubscriberId,
        challenge: &ChallengeId,
        salt: &Salt,
        digest: &Digest,
        length: CodeLength,
    ) -> Code {
        let mac = Tagged::new(self.code.clone(), "code/1")
            .field(subscriber.corporate.as_bytes())
            .field(subscriber.user.as_bytes())
            .field(&challenge.0)
            .field(&salt.0)
            .field(&digest.0);
        let output = Zeroizing::new(<[u8; 32]>::from(mac.into_inner().finalize().into_bytes()));
        Code::from_number(first_64_bits(&output) % 10_u64.pow(u32::from(length.0)), length)
    }

    /// 64 bits that distinguish requests, and from which the code in a request cannot be found without the
    /// key.
    pub(crate) fn request_mac(&self, request: &[u8; 32]) -> u64 {
        let mac = Tagged::new(self.idempotency.clone(), "idempotency/1").field(request);
        first_64_bits(&mac.into_inner().finalize().into_bytes().into())
    }
}

fn first_64_bits(bytes: &[u8; 32]) -> u64 {
    bytes[..8].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The master keys: the one in use, and older ones whose challenges may still be open.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<KeySet>,
    /// The ids of keys that are no longer in use, with their fingerprints.
    retired: Vec<(KeyId, u64)>,
}

/// Without fingerprints.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("keys", &self.keys).finish()
    }
}

/// A key has other bytes than one that was in use under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChanged(KeyId);

impl fmt::Display for KeyChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(KeyId(id)) = self;
        write!(f, "key {id} with other bytes than it had before")
    }
}

impl std::error::Error for KeyChanged {}

/// The most master keys at a time: the one in use, and earlier ones that open challenges still need.
pub(crate) const KEYS_MAX: usize = 8;

impl Keyring {
    /// The keys, the one in use first. `None` unless there are 1 to [`KEYS_MAX`], whose ids and bytes are all
    /// different.
    pub(crate) fn new(masters: &[(KeyId, Zeroizing<[u8; MASTER_KEY_BYTES]>)]) -> Option<Self> {
        let is_repeated = |index: usize| {
            let (id, key) = &masters[index];
            masters[..index].iter().any(|(earlier, bytes)| earlier == id || bytes == key)
        };
        let usable = (1..=KEYS_MAX).contains(&masters.len()) && !(0..masters.len()).any(is_repeated);
        let keys = || masters.iter().map(|(id, key)| KeySet::new(*id, key)).collect();
        usable.then(|| Self { keys: keys(), retired: Vec::new() })
    }

    /// The ring that takes the place of this one, with the keys of `next`. It knows every id that was ever in use, since
    /// challenges and remembered calls say only the id of their key.
    ///
    /// # Errors
    ///
    /// [`KeyChanged`] if an id has other bytes than before: right codes would count as failures.
    pub(crate) fn replaced_by(&self, next: &Self) -> Result<Self, KeyChanged> {
        let in_use = self.keys.iter().map(|key| (key.id, key.fingerprint));
        let known: Vec<_> = in_use.chain(self.retired.iter().copied()).collect();
        let before = |id: KeyId| known.iter().find(|(known, _)| *known == id);
        let is_changed = |key: &&KeySet| before(key.id).is_some_and(|(_, was)| *was != key.fingerprint);
        if let Some(changed) = next.keys.iter().find(is_changed) {
            return Err(KeyChanged(changed.id));
        }
        let retired = known.iter().copied().filter(|(id, _)| next.find(*id).is_none()).collect();
        Ok(Self { keys: next.keys.clone(), retired })
    }

    /// The key that new challenges are issued under.
    pub(crate) fn active(&self) -> &KeySet {
        &self.keys[0]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(KeySet::id)
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<&KeySet> {
        self.keys.iter().find(|key| key.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscriber::id::Id;
    use crate::subscriber::transaction::Subject;

    fn key(id: u16, byte: u8) -> KeySet {
        KeySet::new(KeyId(id), &[byte; MASTER_KEY_BYTES])
    }

    fn subscriber(user: &str) -> SubscriberId {
        SubscriberId { corporate: Id::parse("ACME").unwrap(), user: Id::parse(user).unwrap() }
    }

    fn code(key: &KeySet, user: &str, challenge: u128, salt: u128, digits: u8) -> Vec<u8> {
        let (challenge, salt) = (ChallengeId(challenge.to_be_bytes()), Salt(salt.to_be_bytes()));
        let length = CodeLength::new(digits).unwrap();
        key.code(&subscriber(user), &challenge, &salt, &Subject::Login.digest(), length).expose().to_vec()
    }

    #[test]
    fn abuse_66_a_key_that_was_ever_in_use_keeps_its_bytes() {
        let ring = |keys: &[(u16, u8)]| {
            let master = |(id, byte): &(u16, u8)| (KeyId(*id), Zeroizing::new([*byte; MASTER_KEY_BYTES]));
            Keyring::new(&keys.iter().map(master).collect::<Vec<_>>()).unwrap()
        };
        let first = ring(&[(1, 10)]);
        assert_eq!(first.replaced_by(&ring(&[(1, 11)])).unwrap_err(), KeyChanged(KeyId(1)));
        let second = first.replaced_by(&ring(&[(2, 20), (1, 10)])).unwrap();
        assert_eq!(second.active().id(), KeyId(2));
        let third = second.replaced_by(&ring(&[(2, 20)])).unwrap();
        assert!(third.find(KeyId(1)).is_none());
        assert_eq!(third.replaced_by(&ring(&[(1, 12), (2, 20)])).unwrap_err(), KeyChanged(KeyId(1)));
        let again = third.replaced_by(&ring(&[(1, 10), (2, 20)])).unwrap();
        assert_eq!((again.active().id(), again.retired.len()), (KeyId(1), 0));
    }

    #[test]
    fn a_code_depends_on_everything_that_it_is_bound_to() {
        let reference = code(&key(1, 1), "A", 1, 1, 10);
        assert_eq!(reference, code(&key(1, 1), "A", 1, 1, 10));
        assert_ne!(reference, code(&key(1, 2), "A", 1, 1, 10));
        assert_ne!(reference, code(&key(1, 1), "B", 1, 1, 10));
        assert_ne!(reference, code(&key(1, 1), "A", 2, 1, 10));
        assert_ne!(reference, code(&key(1, 1), "A", 1, 2, 10));
    }

    /// Chi-square of observed counts against equal ones.
    fn chi_square(counts: &[u64]) -> f64 {
        let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
    }

    #[test]
    fn abuse_31_codes_are_uniform_per_digit_and_pair_and_may_begin_with_zero() {
        const CODES: u128 = 10_000_000;
        const THREADS: u128 = 2;
        let key = key(1, 7);
        let count = |salts: std::ops::Range<u128>| {
            let mut counts = (vec![[0_u64; 10]; 6], vec![[0_u64; 100]; 5]);
            for salt in salts {
                let code = code(&key, "A", 1, salt, 6);
                for (position, digit) in code.iter().enumerate() {
                    counts.0[position][usize::from(digit - b'0')] += 1;
                }
                for (position, pair) in code.windows(2).enumerate() {
                    counts.1[position][usize::from(pair[0] - b'0') * 10 + usize::from(pair[1] - b'0')] += 1;
                }
            }
            counts
        };
        let parts: Vec<_> = std::thread::scope(|scope| {
            let share = CODES / THREADS;
            let count = &count;
            let run = |part| scope.spawn(move || count(part * share..(part + 1) * share));
            let running: Vec<_> = (0..THREADS).map(run).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let sum = |a: u64, b: u64| a + b;
        let digits: Vec<[u64; 10]> = (0..6)
            .map(|p| std::array::from_fn(|d| parts.iter().map(|part| part.0[p][d]).fold(0, sum)))
            .collect();
        let pairs: Vec<[u64; 100]> = (0..5)
            .map(|p| std::array::from_fn(|d| parts.iter().map(|part| part.1[p][d]).fold(0, sum)))
            .collect();
        // The salts are fixed, so this is one draw, not a flaky one: the bounds are the 99.9 % points
        // of chi-square with 9 and 99 degrees of freedom.
        for counts in &digits {
            assert!(chi_square(counts) < 27.88, "{counts:?}");
        }
        for counts in &pairs {
            assert!(chi_square(counts) < 148.23, "{counts:?}");
        }
        assert!(digits[0][0] > 0, "no code began with zero");
    }

    #[test]
    fn only_six_to_ten_ascii_digits_are_a_code() {
        assert!(Code::parse("012345").is_some());
        assert!(Code::parse("0123456789").is_some());
        for text in
            ["", "12345", "12345678901", "12345 ", "+12345", "-12345", "１２３４５６", "12345a", "1234\0"]
        {
            assert!(Code::parse(text).is_none(), "{text:?}");
        }
        assert!(Code::parse(&"1".repeat(10_000)).is_none());
    }

    #[test]
    fn codes_of_different_lengths_never_match() {
        let zeros = |length: usize| Code::parse(&"0".repeat(length)).unwrap();
        assert!(zeros(6).matches(&zeros(6)));
        assert!(!zeros(6).matches(&zeros(7)));
    }

    #[test]
    fn abuse_35_nothing_secret_shows_in_debug() {
        let code = Code::parse("4829137").unwrap();
        assert!(!format!("{code:?}").contains("4829137"));
        let ring = Keyring::new(&[(KeyId(3), Zeroizing::new([0xAB; MASTER_KEY_BYTES]))]).unwrap();
        assert_eq!(format!("{ring:?}"), "Keyring { keys: [KeySet(KeyId(3), …)] }");
    }

    #[test]
    fn abuse_35_a_dropped_code_wipes_its_digits() {
        fn wipes<T: ZeroizeOnDrop>(_: &T) {}
        let mut code = Code::parse("482913").unwrap();
        fn wiped_when_dropped<T: ZeroizeOnDrop>() {}
        // What an HMAC key consists of.
        wiped_when_dropped::<Sha256>();
        wipes(&code);
        // What `ZeroizeOnDrop` runs at the drop, run here where the bytes can still be looked at.
        code.digits.zeroize();
        assert_eq!(code.digits, [0; CODE_DIGITS_MAX]);
    }

    #[test]
    fn a_keyring_has_one_to_eight_keys_all_different() {
        let key = |id, byte| (KeyId(id), Zeroizing::new([byte; MASTER_KEY_BYTES]));
        let ring = Keyring::new(&[key(7, 1), key(6, 2)]).unwrap();
        assert_eq!((ring.active().id(), ring.keys.len()), (KeyId(7), 2));
        assert!(Keyring::new(&[]).is_none());
        assert!(Keyring::new(&[key(7, 1), key(7, 2)]).is_none());
        assert!(Keyring::new(&[key(7, 1), key(8, 1)]).is_none());
        let many: Vec<_> = (1..=9).map(|number| key(number.into(), number)).collect();
        assert!(Keyring::new(&many[..KEYS_MAX]).is_some());
        assert!(Keyring::new(&many).is_none());
    }
}
