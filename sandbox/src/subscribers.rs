//! The bank's file of subscribers.

use std::fs::File;
use std::io;

use serde::Serialize;

/// What a subscriber confirms with, as the file writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Authenticator {
    /// Gets codes by SMS.
    SmsOtp,
    /// Has a device that shows codes.
    HardToken,
}

/// What a run decides about a subscriber. The other columns of the file are the same for all, or follow from it.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// The company's name.
    pub company_name: &'static str,
    /// The company's part of the subscriber's ID.
    pub corporate_id: &'static str,
    /// The person's part of the subscriber's ID.
    pub user_id: String,
    /// The number without `+`.
    pub phone: String,
    /// SMS OTP or hard token.
    pub authenticator: Authenticator,
}

/// A row of the file: the columns in their order.
#[derive(Serialize)]
struct Row<'a> {
    company_name: &'a str,
    cif: &'static str,
    corporate_id: &'a str,
    user_id: &'a str,
    hard_token_serial: &'static str,
    phone: String,
    email: String,
    authenticator: Authenticator,
}

/// Writes a header and a row for each subscriber.
pub(crate) fn write(file: File, subscribers: impl IntoIterator<Item = Subscriber>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(file);
    for Subscriber { company_name, corporate_id, user_id, phone, authenticator } in subscribers {
        writer.serialize(Row {
            company_name,
            cif: "900001",
            corporate_id,
            user_id: &user_id,
            hard_token_serial: match authenticator {
                Authenticator::SmsOtp => "",
                Authenticator::HardToken => "VST-0098213",
            },
            phone: format!("+{phone}"),
            email: format!("{user_id}@bank.example"),
            authenticator,
        })?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_row_for_each_subscriber_under_the_columns_names() {
        let subscriber = |authenticator| Subscriber {
            company_name: "PT Uji, Beban",
            corporate_id: "UJI01",
            user_id: "budi".into(),
            phone: "6281200000002".into(),
            authenticator,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("subscribers.csv");
        let subscribers = [Authenticator::SmsOtp, Authenticator::HardToken].map(subscriber);
        write(File::create(&path).unwrap(), subscribers).unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "company_name,cif,corporate_id,user_id,hard_token_serial,phone,email,authenticator\n\
             \"PT Uji, Beban\",900001,UJI01,budi,,+6281200000002,budi@bank.example,sms_otp\n\
             \"PT Uji, Beban\",900001,UJI01,budi,VST-0098213,+6281200000002,budi@bank.example,hard_token\n"
        );
    }
}
