use proptest::prelude::*;
use smpp::text::gsm7;

use super::money::{MINOR_DIGITS_MAX, grouped};
use super::rendering::{PAYEE_CHARS_MIN, cut};
use super::*;
use crate::clock::Timestamp;
use crate::subscriber::challenge::Locale;
use crate::subscriber::challenge_id::ChallengeId;
use crate::subscriber::code::{Code, CodeLength};
use crate::subscriber::transaction::{Subject, Transaction};

/// 2026-11-22T09:15:30Z.
const EXPIRES_AT: Timestamp = Timestamp::from_unix_millis(1_795_338_930_000);

fn digits(length: u8) -> CodeLength {
    CodeLength::new(length).unwrap()
}

/// `[sms]` of this text.
fn read(toml: &str, length: u8) -> Result<Templates, ::settings::Mistakes> {
    ::settings::from_toml(toml, |root| Templates::read(root, digits(length)))
}

fn templates() -> Templates {
    read("", 10).unwrap()
}

fn payment(amount: &str, currency: &str, name: &str) -> Subject {
    Subject::Payment(Transaction::new("TRX-1", amount, currency, "ID001234567890", name).unwrap())
}

fn shown(templates: &Templates, locale: Locale, subject: &Subject, code: &str) -> String {
    let length = digits(u8::try_from(code.len()).unwrap());
    let reference = ChallengeId([7; 16]).sms_reference();
    let text = templates.render(locale, subject, reference, EXPIRES_AT, length);
    let mut bytes = Vec::new();
    text.fill(&Code::parse(code).unwrap(), &mut bytes);
    assert!(bytes.len() <= SEGMENT_SEPTETS, "{} septets", bytes.len());
    gsm7::decode(&bytes)
}

/// What is wrong with one setting.
fn refused(name: &str, value: &str) -> String {
    read(&format!("{name} = {value:?}"), 10).unwrap_err().to_string()
}

#[test]
fn a_payment_shows_bank_code_amount_payee_account_reference_time_and_warning() {
    let subject = payment("1250000000", "IDR", "PT ABC");
    assert_eq!(
        shown(&templates(), Locale::Id, &subject, "482913"),
        "Bank Contoh: kode 482913 utk bayar IDR 1.250.000.000 ke PT ABC rek 7890 ref 0W3G s/d 16:15 WIB. \
         JANGAN beri tahu siapa pun.\n@bank.example #482913"
    );
    assert_eq!(
        shown(&templates(), Locale::En, &subject, "482913"),
        "Bank Contoh: code 482913 to pay IDR 1,250,000,000 to PT ABC acct 7890 ref 0W3G until 16:15 WIB. \
         NEVER share it, even with us.\n@bank.example #482913"
    );
}

#[test]
fn a_login_shows_what_it_is_for() {
    assert_eq!(
        shown(&templates(), Locale::Id, &Subject::Login, "482913"),
        "Bank Contoh: kode 482913 utk masuk, ref 0W3G, berlaku s/d 16:15 WIB. \
         JANGAN beri tahu siapa pun, termasuk petugas bank.\n@bank.example #482913"
    );
    assert_eq!(
        shown(&templates(), Locale::En, &Subject::Login, "482913"),
        "Bank Contoh: code 482913 to log in, ref 0W3G, valid until 16:15 WIB. \
         NEVER share it with anyone, not even bank staff.\n@bank.example #482913"
    );
}

#[test]
fn a_fraction_shows_only_where_there_is_one() {
    for (amount, currency, indonesian, english) in [
        ("0", "IDR", "IDR 0", "IDR 0"),
        ("999.00", "IDR", "IDR 999", "IDR 999"),
        ("1000.5", "USD", "USD 1.000,50", "USD 1,000.50"),
        ("1234567", "JPY", "JPY 1.234.567", "JPY 1,234,567"),
        ("1.234", "KWD", "KWD 1,234", "KWD 1.234"),
    ] {
        let Subject::Payment(transaction) = payment(amount, currency, "PT ABC") else { unreachable!() };
        assert_eq!(grouped(transaction.amount(), Locale::Id), indonesian);
        assert_eq!(grouped(transaction.amount(), Locale::En), english);
    }
}

#[test]
fn abuse_50_a_long_payee_is_cut_by_rule_and_amount_and_code_stay_whole() {
    let name = "PT Sumber Makmur Sejahtera Abadi Nusantara Jaya Perkasa Mandiri Utama";
    let subject = payment("1250000000", "IDR", name);
    let text = shown(&templates(), Locale::Id, &subject, "482913");
    assert!(text.contains(" IDR 1.250.000.000 ke PT Sumber Makmur Sejahtera Abadi.. rek 7890 "), "{text}");
    assert!(text.ends_with("@bank.example #482913") && !text.contains("s/d"), "{text}");

    let longest = payment("999999999999999.9999", "CLF", name);
    let text = shown(&templates(), Locale::Id, &longest, "4829130567");
    assert!(text.contains(" CLF 999.999.999.999.999,9999 ke PT Sumber"), "{text}");
    assert_eq!(text.matches("4829130567").count(), 2);
}

#[test]
fn a_payee_is_cut_before_the_dots_and_never_ends_in_a_blank() {
    let cut_to = |name: &str, length_max| {
        let mut name = gsm7::encode(name).unwrap();
        cut(&mut name, length_max);
        gsm7::decode(&name)
    };
    assert_eq!(cut_to("PT ABC DEF", 9), "PT ABC..");
    assert_eq!(cut_to("PT ABC DEF", 8), "PT ABC..");
    assert_eq!(cut_to("ÇøÇøÇøÇø", 6), "ÇøÇø..");
    assert_eq!(cut_to("PT ABC", 1), ".");
    assert_eq!(cut_to("PT ABC", 0), "");
}

#[test]
fn abuse_27_no_payee_can_begin_a_line() {
    let subject = payment("1", "IDR", "X @evil.example #000000");
    let text = shown(&templates(), Locale::En, &subject, "482913");
    assert_eq!(text.lines().count(), 2);
    assert_eq!(text.lines().last(), Some("@bank.example #482913"));
}

#[test]
fn every_character_of_a_beneficiary_name_is_in_the_gsm_basic_set() {
    let in_name = |c: &char| {
        // In the middle, since a name may not begin or end with a blank.
        Transaction::new("T", "1", "IDR", "1", &format!("x{c}x")).is_ok()
    };
    let allowed: Vec<char> = ('\0'..=char::MAX).filter(in_name).collect();
    assert!(allowed.len() > 100, "{} characters", allowed.len());
    for character in allowed {
        assert!(gsm7::is_basic(character), "{character:?}");
    }
}

#[test]
fn no_currency_has_more_fraction_digits_than_the_longest_amount() {
    for currency in ["CLF", "UYW", "KWD", "IDR", "JPY"] {
        let Subject::Payment(transaction) = payment("999999999999999", currency, "X") else { unreachable!() };
        assert!(transaction.amount().decimal().1.len() <= MINOR_DIGITS_MAX);
    }
}

#[test]
fn local_time_is_cut_to_the_minute_on_both_sides_of_utc_and_of_midnight() {
    let time = |utc_offset: &str, millis: u64| {
        let templates = read(&format!("utc_offset = \"{utc_offset}\""), 6).unwrap();
        String::from_utf8(templates.local_time(Timestamp::from_unix_millis(millis)).to_vec()).unwrap()
    };
    assert_eq!(time("+07:00", 1_795_338_959_999), "16:15");
    assert_eq!(time("-10:30", 0), "13:30");
    assert_eq!(time("+14:00", 10 * 3_600_000), "00:00");
    assert_eq!(time("+00:00", 59_999), "00:00");
}

#[test]
fn settings_of_another_form_are_refused() {
    for offset in ["", "7", "+7:00", "+07:60", "+15:00", "+0700", "07:00 ", "+0a:00", "−07:00"] {
        assert_eq!(
            refused("utc_offset", offset),
            format!(
                "1:14: utc_offset: found {offset:?}, \
                 allowed an offset from UTC such as \"+07:00\", up to 14 hours"
            )
        );
    }
    for host in ["", "bank example", "https://bank.example", "bänk.example", "bank.example\n"] {
        assert_eq!(
            refused("host", host),
            format!("1:8: host: found {host:?}, allowed a host name such as \"bank.example\"")
        );
    }
    for bank in [" ", "Bank\nContoh", "Bank ç"] {
        let allowed = "at least one character of the GSM 7-bit alphabet, without line breaks";
        assert_eq!(refused("bank", bank), format!("1:8: bank: found {bank:?}, allowed {allowed}"));
    }
    assert_eq!(refused("locale", "nl"), "1:10: locale: found \"nl\", allowed \"id\" or \"en\"");
}

#[test]
fn a_template_is_refused_with_what_is_wrong() {
    let payment = "allowed {bank}, {host}, {code}, {reference} and {validity}, and in payments {amount}, {payee} \
                   and {account}";
    let pairs = "allowed braces and brackets in pairs";
    let often = "allowed {code} up to four times, and other fields once";
    let whole = "{code} {amount} {payee}";
    for (template, expected) in [
        ("{amount} {payee}".into(), "found no {code} outside brackets, allowed a text with {code}".into()),
        ("{code} {payee}".into(), "found no {amount} outside brackets, allowed a text with {amount}".into()),
        ("{code} {amount}".into(), "found no {payee} outside brackets, allowed a text with {payee}".into()),
        (
            "{code} {amount}[ {payee}]".into(),
            "found no {payee} outside brackets, allowed a text with {payee}".into(),
        ),
        (format!("{whole}{{name}}"), format!("found {{name}}, {payment}")),
        (format!("{whole}{{ code}}"), format!("found {{ code}}, {payment}")),
        (format!("{whole}{{"), format!("found '{{' without its other half, {pairs}")),
        (format!("{whole}}}"), format!("found '}}' without its other half, {pairs}")),
        (format!("{whole}["), format!("found '[' without its other half, {pairs}")),
        (format!("{whole}]"), format!("found ']' without its other half, {pairs}")),
        (format!("{whole}[[]]"), format!("found '[' without its other half, {pairs}")),
        (format!("{whole}[a][b]"), "found a second part in brackets, allowed one".into()),
        (format!("{whole}{{amount}}"), format!("found {{amount}} too often, {often}")),
        (format!("{whole}{{code}}{{code}}{{code}}{{code}}"), format!("found {{code}} too often, {often}")),
        (format!("{whole}ç"), "found 'ç', allowed the characters of the GSM 7-bit alphabet".into()),
    ] {
        assert_eq!(refused("payment_en", &template), format!("1:14: payment_en: {expected}"));
    }
    assert_eq!(
        refused("login_id", "x"),
        "1:12: login_id: found no {code} outside brackets, allowed a text with {code}"
    );
    assert_eq!(refused("login_id", "{code}{amount}"), format!("1:12: login_id: found {{amount}}, {payment}"));
}

#[test]
fn a_template_that_does_not_fit_with_the_longest_fields_is_refused() {
    // 10 digits, 28 characters of amount, 12 of payee.
    let fits = format!("{{code}}{{amount}}{{payee}}{}", "x".repeat(110));
    let compile = |template: &str, length| {
        let mistakes = read(&format!("payment_en = \"{template}\""), length).err();
        mistakes.map(|mistakes| mistakes.to_string())
    };
    let too_long = "1:14: payment_en: found 161 septets with the longest fields, allowed the 160 of one SMS";
    assert_eq!(compile(&fits, 10), None);
    assert_eq!(compile(&format!("{fits}x"), 10).as_deref(), Some(too_long));
    assert_eq!(compile(&format!("{fits}xxxx"), 6), None);
    assert_eq!(compile(&format!("{fits}€xxx"), 6).as_deref(), Some(too_long));
    assert_eq!(compile(&format!("{fits}[{}]", "x".repeat(200)), 10), None, "what is in brackets can go");
}

#[test]
fn a_template_has_room_for_the_longest_code_in_each_of_its_places() {
    // Four codes, 28 characters of amount, 12 of payee, and `others`.
    let compile = |others: usize, length| {
        let template = format!("{{code}}{{code}}{{code}}{{code}}{{amount}}{{payee}}{}", "x".repeat(others));
        read(&format!("payment_en = \"{template}\""), length).err().map(|mistakes| mistakes.to_string())
    };
    for (length, room) in [(6, 96), (8, 88), (10, 80)] {
        assert_eq!(compile(room, length), None, "{length} digits");
        let refused = compile(room + 1, length).expect("it does not fit");
        assert!(refused.contains("found 161 septets with the longest fields"), "{length} digits: {refused}");
    }
    let septets = |length| compile(96, length).expect("it does not fit");
    assert!(septets(8).contains("found 168 septets") && septets(10).contains("found 176 septets"));
}

#[test]
fn the_code_goes_where_the_template_has_it_and_nowhere_else() {
    let templates = read("login_en = \"{code}{code} x{code}\"", 10).unwrap();
    assert_eq!(shown(&templates, Locale::En, &Subject::Login, "012345"), "012345012345 x012345");
}

#[test]
fn a_text_does_not_show_in_debug() {
    let reference = ChallengeId([7; 16]).sms_reference();
    let text = templates().render(Locale::En, &Subject::Login, reference, EXPIRES_AT, digits(6));
    assert_eq!(format!("{text:?}"), "Text(… 127 septets)");
}

proptest! {
    #[test]
    fn every_payment_fits_one_segment_with_its_amount_and_code_whole(
        integer in "0|[1-9][0-9]{0,14}",
        fraction in "[0-9]{0,4}",
        currency in prop::sample::select(vec!["IDR", "USD", "JPY", "KWD", "CLF"]),
        account in "[A-Z0-9]{1,34}",
        name in "[A-Za-z0-9@Δ ÄÖÑÜ§¿äöñüà&'().,/-]{1,70}",
        code in "[0-9]{6,10}",
        indonesian: bool,
    ) {
        let amount = if fraction.is_empty() { integer } else { format!("{integer}.{fraction}") };
        let Ok(transaction) = Transaction::new("T", &amount, currency, &account, &name) else {
            return Ok(());
        };
        let locale = if indonesian { Locale::Id } else { Locale::En };
        let whole = grouped(transaction.amount(), locale);
        let name: String = name.chars().take(PAYEE_CHARS_MIN).collect();
        let text = shown(&templates(), locale, &Subject::Payment(transaction), &code);
        prop_assert!(text.contains(&whole), "{text}");
        prop_assert!(text.contains(name.trim_end()), "{text}");
        let last_line = format!("\n@bank.example #{code}");
        prop_assert!(text.ends_with(&last_line), "{text}");
    }
}
