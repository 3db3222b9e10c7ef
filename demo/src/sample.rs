//! Sample companies and their users. Nothing of it is real.

use gateway_sandbox::Subscriber;

pub(crate) use gateway_sandbox::Authenticator;

/// The name under which the gateway binds to the simulator.
pub(crate) const SYSTEM_ID: &str = "demo";

/// Fictional companies: their name and the ID under which the gateway knows them.
const COMPANIES: [(&str, &str); 18] = [
    ("PT Nusantara Contoh Abadi", "NUSA01"),
    ("CV Laut Biru Imajiner", "LAUT02"),
    ("PT Kopi Rekaan Gayo", "KOPI03"),
    ("PT Batik Fiktif Lestari", "BATIK04"),
    ("CV Roti Andai Hangat", "ROTI05"),
    ("PT Logistik Umpama Raya", "LOGI06"),
    ("PT Sawah Misal Makmur", "SAWAH07"),
    ("CV Kayu Contoh Jepara", "KAYU08"),
    ("PT Rempah Khayal Maluku", "REMPAH09"),
    ("PT Teknologi Andaikan", "TEKNO10"),
    ("CV Bunga Rekaan Lembang", "BUNGA11"),
    ("PT Armada Fiktif Samudra", "ARMADA12"),
    ("PT Garam Umpama Madura", "GARAM13"),
    ("CV Tenun Misal Sumba", "TENUN14"),
    ("PT Energi Contoh Surya", "ENERGI15"),
    ("PT Klinik Khayal Sehat", "KLINIK16"),
    ("CV Cetak Andai Jaya", "CETAK17"),
    ("PT Sepeda Rekaan Bandung", "SEPEDA18"),
];
const GIVEN_NAMES: [&str; 18] = [
    "budi", "siti", "agus", "dewi", "eko", "rina", "joko", "maya", "hadi", "lina", "wayan", "putri", "yusuf",
    "ratna", "dimas", "intan", "bayu", "sari",
];
const FAMILY_NAMES: [&str; 7] = ["santoso", "rahma", "wijaya", "lestari", "hidayat", "kusuma", "nasution"];
const USERS_PER_COMPANY: usize = 3;
/// How many companies, from the first, have one user more, who still has a hard token.
const COMPANIES_WITH_TOKEN: usize = 2;
/// Enough to play with: this many can be sent an SMS.
const _: () = assert!(COMPANIES.len() * USERS_PER_COMPANY >= 50);

/// A user of a company.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) user_id: String,
    /// The number without `+`.
    pub(crate) phone: String,
    pub(crate) authenticator: Authenticator,
}

/// A company and its users.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    pub(crate) name: &'static str,
    pub(crate) corporate_id: &'static str,
    pub(crate) users: Vec<User>,
}

/// The sample companies.
pub(crate) fn companies() -> Vec<Company> {
    let mut person = 0;
    let mut user = |authenticator| {
        let (given, family) =
            (GIVEN_NAMES[person % GIVEN_NAMES.len()], FAMILY_NAMES[person % FAMILY_NAMES.len()]);
        person += 1;
        // No operator gives out numbers with this many zeros.
        User {
            user_id: format!("{given}.{family}"),
            phone: format!("62812{:08}", 100 + person),
            authenticator,
        }
    };
    COMPANIES
        .iter()
        .enumerate()
        .map(|(index, &(name, corporate_id))| {
            let mut users: Vec<User> = (0..USERS_PER_COMPANY).map(|_| user(Authenticator::SmsOtp)).collect();
            users.extend((index < COMPANIES_WITH_TOKEN).then(|| user(Authenticator::HardToken)));
            Company { name, corporate_id, users }
        })
        .collect()
}

/// All users of the companies, as the gateway's file of subscribers has them.
pub(crate) fn subscribers(companies: &[Company]) -> impl Iterator<Item = Subscriber> {
    companies.iter().flat_map(|company| {
        company.users.iter().map(|user| Subscriber {
            company_name: company.name,
            corporate_id: company.corporate_id,
            user_id: user.user_id.clone(),
            phone: user.phone.clone(),
            authenticator: user.authenticator,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn at_least_fifty_users_are_on_sms_otp_and_some_are_not_yet() {
        let companies = companies();
        let users: Vec<&User> = companies.iter().flat_map(|company| &company.users).collect();
        let on_sms = users.iter().filter(|user| user.authenticator == Authenticator::SmsOtp).count();
        assert!(on_sms >= 50, "{on_sms}");
        assert_eq!(users.len() - on_sms, COMPANIES_WITH_TOKEN);
        let phones: HashSet<&str> = users.iter().map(|user| user.phone.as_str()).collect();
        assert_eq!(phones.len(), users.len());
    }
}
