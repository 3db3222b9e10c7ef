//! Companies and their users, as the page shows them.

use serde::Serialize;

use crate::sample::{Authenticator, Company};

/// The reply of `GET /api/companies`.
#[derive(Serialize)]
pub(super) struct Companies<'a> {
    wall: &'a str,
    companies: Vec<CompanyShown<'a>>,
}

#[derive(Serialize)]
struct CompanyShown<'a> {
    corporate_id: &'a str,
    name: &'a str,
    users: Vec<UserShown<'a>>,
}

#[derive(Serialize)]
struct UserShown<'a> {
    user_id: &'a str,
    phone: String,
    authenticator: Authenticator,
}

impl<'a> Companies<'a> {
    pub(super) fn new(wall: &'a str, companies: &'a [Company]) -> Self {
        Self { wall, companies: companies.iter().map(CompanyShown::new).collect() }
    }
}

impl<'a> CompanyShown<'a> {
    fn new(company: &'a Company) -> Self {
        let users = company
            .users
            .iter()
            .map(|user| UserShown {
                user_id: &user.user_id,
                phone: masked(&user.phone),
                authenticator: user.authenticator,
            })
            .collect();
        Self { corporate_id: company.corporate_id, name: company.name, users }
    }
}

/// As the gateway masks numbers: `+62812*****45`.
fn masked(phone: &str) -> String {
    let hidden = phone.len().saturating_sub(7);
    format!("+{}{}{}", &phone[..5], "*".repeat(hidden), &phone[phone.len() - 2..])
}
