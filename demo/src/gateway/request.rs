//! What the gateway's API takes.

use serde::{Deserialize, Serialize};

use crate::details::Details;
use crate::payment::SubscriberId;

/// The language of the SMS.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Locale {
    Id,
    En,
}

/// The body of an act.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct ActRequest<'a> {
    pub(crate) subscriber: &'a SubscriberId,
    pub(crate) purpose: &'static str,
    pub(crate) transaction: &'a Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<Locale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) challenge_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'a str>,
}

impl ActRequest<'_> {
    /// As it may be shown.
    pub(super) fn masked(&self) -> Self {
        Self { code: self.code.map(|_| "••••••"), ..*self }
    }
}
