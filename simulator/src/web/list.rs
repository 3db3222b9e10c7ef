//! The reply of `GET /messages`.

use serde::Serialize;

use super::query::write_cursor;
use crate::inbox::{Page, Wire};

#[derive(Serialize)]
pub(super) struct List<'a> {
    messages: Vec<Wire<'a>>,
    /// Where to read on.
    cursor: String,
    /// Messages that the inbox had dropped before they could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
}

impl<'a> List<'a> {
    pub(super) fn new(page: &'a Page, instance: u32) -> Self {
        Self {
            messages: page.messages.iter().map(|message| message.to_wire()).collect(),
            cursor: write_cursor(page.cursor, instance),
            lost: (page.lost > 0).then_some(page.lost),
        }
    }
}
