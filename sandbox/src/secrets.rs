//! What the gateway, its caller and its SMSC share with nobody else.

use std::io;

use sha2::{Digest as _, Sha256};

/// Keys and passwords of one run.
pub struct Secrets {
    /// What the API client presents.
    pub api_key: String,
    /// What the gateway binds with: at most 8 characters, since SMPP has room for no more.
    pub smsc_password: String,
    /// What codes are derived from: 64 hexadecimal digits.
    pub master_key: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Draws them from the system's randomness.
    ///
    /// # Errors
    ///
    /// The system has none.
    pub fn draw() -> io::Result<Self> {
        Ok(Self {
            api_key: format!("otpgw_{}", draw::<24>()?),
            smsc_password: draw::<4>()?,
            master_key: draw::<32>()?,
        })
    }
}

fn draw<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(base16ct::lower::encode_string(&bytes))
}

/// What the gateway's configuration holds in place of an API key.
pub(crate) fn key_sha256(api_key: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(api_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_fits_and_is_not_shown() {
        let secrets = Secrets::draw().unwrap();
        assert_eq!((secrets.smsc_password.len(), secrets.master_key.len()), (8, 64));
        assert_ne!(secrets.master_key, Secrets::draw().unwrap().master_key);
        assert_eq!(format!("{secrets:?}"), "Secrets(…)");
    }
}
