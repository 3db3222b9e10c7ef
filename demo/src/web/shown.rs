//! Companies and their users, as the page shows them.

use serde_json::{Value, json};

use crate::sample::{Company, User};

/// The reply of `GET /api/companies`.
pub(super) fn companies(wall: &str, companies: &[Company]) -> Value {
    json!({ "wall": wall, "companies": companies.iter().map(company).collect::<Vec<_>>() })
}

fn company(Company { corporate_id, name, users }: &Company) -> Value {
    json!({ "corporate_id": corporate_id, "name": name, "users": users.iter().map(user).collect::<Vec<_>>() })
}

fn user(User { user_id, phone, authenticator }: &User) -> Value {
    json!({ "user_id": user_id, "phone": masked(phone), "authenticator": authenticator })
}

/// As the gateway masks numbers: `+62812*****45`.
fn masked(phone: &str) -> String {
    let hidden = phone.len().saturating_sub(7);
    format!("+{}{}{}", &phone[..5], "*".repeat(hidden), &phone[phone.len() - 2..])
}
