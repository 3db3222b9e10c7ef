//! Loads the subscribers from the bank's CSV file into the store. Every mistake is reported with
//! its place; a single one prevents the start.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use settings::{Mistake, Mistakes};

use crate::msisdn::NumberingPlan;
use crate::named::Named as _;
use crate::store::Store;
use crate::subscriber::id::{Id, SubscriberId};
use crate::subscriber::{Authenticator, EnrolRefused};

/// The columns of the bank's file. All are required, in any order.
pub(crate) const COLUMNS: [&str; 8] = [
    "company_name",
    "cif",
    "corporate_id",
    "user_id",
    "hard_token_serial",
    "phone",
    "email",
    "authenticator",
];
const COMPANY_NAME: usize = 0;
const CIF: usize = 1;
const CORPORATE_ID: usize = 2;
const USER_ID: usize = 3;
const HARD_TOKEN_SERIAL: usize = 4;
const PHONE: usize = 5;
const EMAIL: usize = 6;
const AUTHENTICATOR: usize = 7;

/// The longest company name, in characters.
const COMPANY_NAME_CHARS_MAX: usize = 140;
/// The longest CIF or serial number.
const NUMBER_CHARS_MAX: usize = 32;
/// The longest e-mail address (RFC 5321 §4.5.3.1.3, less the angle brackets).
const EMAIL_CHARS_MAX: usize = 254;

/// What may stand in each of [`COLUMNS`].
const ALLOWED: [&str; COLUMNS.len()] = [
    "1 to 140 characters in UTF-8, none of them a control character",
    "1 to 32 of A-Z, a-z, 0-9 and '-'",
    "1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'",
    "1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'",
    "1 to 32 of A-Z, a-z, 0-9 and '-'; empty only with sms_otp",
    "8 to 15 digits, country code included, behind +, the country code or the trunk prefix, without separators",
    "an address such as finance@acme.example",
    "sms_otp or hard_token",
];

/// Enrols the subscriber of every row of the CSV file at `path`; returns their number.
///
/// # Errors
///
/// All [`Mistakes`] of the file, none of which quotes it. The store may then hold some of the rows, and must not be used.
pub(crate) fn load(path: &Path, plan: &NumberingPlan, store: &Store) -> Result<u64, Mistakes> {
    let unreadable = |error| Mistakes::unreadable(path, &error, "a CSV file");
    let file = File::open(path).map_err(unreadable)?;
    // Flexible, so that rows with too few or too many fields are reported here, with the others.
    // Lines end at \n, so that they are counted correctly in files with \r\n, too; `field` removes the \r.
    let delimiter = delimiter(&file);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(file);
    let headers = reader.byte_headers().map_err(|error| unreadable(error.into()))?;
    let order = column_order(headers).map_err(|mistake| Mistakes::new(vec![mistake], 0).of(path))?;
    let (mut mistakes, mut enrolled) = (Vec::new(), 0);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| unreadable(error.into()))? {
        if record.len() == 1 && &record[0] == b"\r" {
            continue;
        }
        match enrol_row(&record, &order, plan, store) {
            Ok(()) => enrolled += 1,
            Err(wrong) => {
                let begin = record.position().cloned().unwrap_or_else(csv::Position::new);
                let raw = raw(reader.get_ref(), begin.byte(), reader.position().byte());
                mistakes.extend(
                    wrong
                        .into_iter()
                        .map(|wrong| wrong.mistake(&raw, begin.line() as usize, &order, delimiter)),
                );
            }
        }
    }
    if mistakes.is_empty() { Ok(enrolled) } else { Err(Mistakes::new(mistakes, 0).of(path)) }
}

/// What stands between fields: spreadsheets of countries with a decimal comma write semicolons.
fn delimiter(file: &File) -> u8 {
    let mut begin = [0; 4096];
    let read = file.read_at(&mut begin, 0).unwrap_or(0);
    let header = begin[..read].split(|byte| *byte == b'\n').next().unwrap_or_default();
    if header.contains(&b';') && !header.contains(&b',') { b';' } else { b',' }
}

/// The bytes of a record as they stand in the file; nothing if they cannot be read again.
fn raw(file: &File, begin: u64, end: u64) -> String {
    let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or_default()];
    file.read_exact_at(&mut bytes, begin)
        .map_or(String::new(), |()| String::from_utf8_lossy(&bytes).into_owned())
}

/// Where a field of a raw record begins, which may have empty lines before it.
fn field_begin(raw: &str, place: usize, delimiter: u8) -> usize {
    let (mut field, mut is_begin, mut is_quoted, mut is_open) = (0, true, false, false);
    for (at, character) in raw.char_indices() {
        if is_begin && field == 0 && character == '\n' {
            continue;
        }
        if is_begin && field == place {
            return at;
        }
        is_quoted = if is_begin { character == '"' } else { is_quoted };
        is_open ^= is_quoted && character == '"';
        is_begin = character == char::from(delimiter) && !is_open;
        field += usize::from(is_begin);
    }
    raw.len()
}

/// The position of each of [`COLUMNS`] in the file.
fn column_order(headers: &csv::ByteRecord) -> Result<[usize; COLUMNS.len()], Mistake> {
    let mistake = |key: &str, found: &str| Mistake {
        line: 1,
        column: 1,
        key: key.to_owned(),
        found: found.to_owned(),
        allowed: format!("the columns {}", COLUMNS.join(",")),
    };
    let mut order = [0; COLUMNS.len()];
    for (place, column) in order.iter_mut().zip(COLUMNS) {
        let named = |place: &usize| field(headers, *place) == column.as_bytes();
        *place = (0..headers.len()).find(named).ok_or_else(|| mistake(column, "no such column"))?;
    }
    if headers.len() == COLUMNS.len() { Ok(order) } else { Err(mistake("row", "a column twice or unknown")) }
}

/// A field of a row, without the `\r` that the last one of a line ending in `\r\n` comes with.
fn field(record: &csv::ByteRecord, place: usize) -> &[u8] {
    record[place].strip_suffix(b"\r").unwrap_or(&record[place])
}

/// What is wrong in one of [`COLUMNS`], or with the row as a whole.
struct Wrong {
    column: Option<usize>,
    found: String,
    allowed: String,
}

impl Wrong {
    /// The mistake and its place in the file, where the record is `raw` and begins at `line`.
    fn mistake(self, raw: &str, line: usize, order: &[usize; COLUMNS.len()], delimiter: u8) -> Mistake {
        let Self { column, found, allowed } = self;
        let key = column.map_or("row", |column| COLUMNS[column]).to_owned();
        let before = &raw[..field_begin(raw, column.map_or(0, |column| order[column]), delimiter)];
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        let (line, column) = (line + before.matches('\n').count(), last_line.chars().count() + 1);
        Mistake { line, column, key, found, allowed }
    }
}

fn enrol_row(
    record: &csv::ByteRecord,
    order: &[usize; COLUMNS.len()],
    plan: &NumberingPlan,
    store: &Store,
) -> Result<(), Vec<Wrong>> {
    let wrong = |column, found: &str, allowed: &str| Wrong {
        column,
        found: found.to_owned(),
        allowed: allowed.to_owned(),
    };
    if record.len() != COLUMNS.len() {
        let (found, allowed) = (format!("{} fields", record.len()), COLUMNS.len().to_string());
        return Err(vec![wrong(None, &found, &allowed)]);
    }
    // What is not UTF-8 becomes what no column allows.
    let fields = order.map(|place| std::str::from_utf8(field(record, place)).unwrap_or("\0"));
    let corporate = Id::parse(fields[CORPORATE_ID]).ok();
    let user = Id::parse(fields[USER_ID]).ok();
    let phone = plan.parse(fields[PHONE]).ok();
    let authenticator = Authenticator::from_name(fields[AUTHENTICATOR]);
    let has_no_token = fields[HARD_TOKEN_SERIAL].is_empty() && fields[AUTHENTICATOR] == "sms_otp";
    // Columns that are not used yet are checked, too: a file that is accepted today must not be refused by a later
    // version that uses them.
    let is_allowed = [
        is_company_name(fields[COMPANY_NAME]),
        is_number(fields[CIF]),
        corporate.is_some(),
        user.is_some(),
        has_no_token || is_number(fields[HARD_TOKEN_SERIAL]),
        phone.is_some(),
        is_email(fields[EMAIL]),
        authenticator.is_some(),
    ];
    let (Some(corporate), Some(user), Some(phone), Some(authenticator), true) =
        (corporate, user, phone, authenticator, is_allowed.iter().all(|is_allowed| *is_allowed))
    else {
        let refused = (0..COLUMNS.len()).filter(|column| !is_allowed[*column]);
        return Err(refused.map(|column| wrong(Some(column), "something else", ALLOWED[column])).collect());
    };
    store.enrol(&SubscriberId { corporate, user }, phone, authenticator).map_err(|refused| {
        vec![match refused {
            EnrolRefused::Duplicate => {
                wrong(Some(USER_ID), "the corporate_id and user_id of an earlier row", "each once")
            }
            EnrolRefused::Full => wrong(None, "one subscriber too many", "as many as store.subscribers_max"),
        }]
    })
}

fn is_company_name(text: &str) -> bool {
    text.chars().count() <= COMPANY_NAME_CHARS_MAX
        && !text.chars().any(char::is_control)
        && !text.trim().is_empty()
}

fn is_number(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=NUMBER_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// Good enough to catch a shifted column; only a delivered mail proves an address.
fn is_email(text: &str) -> bool {
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
    let domain = |domain: &str| domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    let parts = text.split_once('@').filter(|(_, domain)| !domain.contains('@'));
    graphic
        && text.len() <= EMAIL_CHARS_MAX
        && parts.is_some_and(|(mailbox, host)| !mailbox.is_empty() && domain(host))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Metrics;
    use crate::store;

    const HEADER: &str = "company_name,cif,corporate_id,user_id,hard_token_serial,phone,email,authenticator";
    const GOOD: &str = "PT Acme,123,ACME01,budi,SN-1,+628123456745,budi@acme.example,sms_otp";

    fn load_text(text: &str) -> Result<u64, Mistakes> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let store = Store::new(store::Config::default(), 10, Arc::new(Metrics::new()));
        load(file.path(), &NumberingPlan::new("62", "0").unwrap(), &store)
    }

    fn places(text: &str) -> Vec<(usize, usize, String)> {
        let mistakes = load_text(text).unwrap_err();
        mistakes.list().iter().map(|mistake| (mistake.line, mistake.column, mistake.key.clone())).collect()
    }

    #[test]
    fn good_rows_are_loaded_whatever_the_order_of_the_columns() {
        assert_eq!(load_text(&format!("{HEADER}\n{GOOD}\n")).unwrap(), 1);
        let other = "phone,user_id,corporate_id,cif,company_name,authenticator,email,hard_token_serial\n\
                     081234567890,siti,ACME01,1,\"PT Acme, Tbk\",hard_token,s@acme.example,SN2\n";
        assert_eq!(load_text(other).unwrap(), 1);
        assert_eq!(load_text(HEADER).unwrap(), 0);
    }

    #[test]
    fn a_spreadsheet_s_semicolons_are_understood() {
        let semicolons = |text: &str| text.replace(',', ";");
        let text = format!("{}\r\n{}\r\n", semicolons(HEADER), semicolons(GOOD));
        assert_eq!(load_text(&text).unwrap(), 1);
        let named =
            semicolons(GOOD).replace("PT Acme", "\"PT Acme; Tbk, Jakarta\"").replace("budi;", "bu di;");
        let text = format!("{}\n{named}\n", semicolons(HEADER));
        assert_eq!(places(&text), [(2, 36, "user_id".to_owned())]);
        // A header with both is one with commas, and says what is missing.
        assert!(load_text(&HEADER.replacen(',', ";", 1)).is_err());
    }

    #[test]
    fn every_bad_row_is_listed_with_line_column_and_reason() {
        let rows = [
            HEADER.to_owned(),
            GOOD.to_owned(),
            GOOD.replace("+628123456745", "12"),
            GOOD.replace("budi,", "bu di,").replace("sms_otp", "token"),
            GOOD.to_lowercase(),
            "PT Acme,123".to_owned(),
            GOOD.replace("budi,", "siti,").replace("budi@acme.example", "budi"),
            GOOD.replace("PT Acme", "").replace(",123,", ",1 3,").replace("SN-1", "S/N"),
        ];
        let expected = [
            (3, 30, "phone"),
            (4, 20, "user_id"),
            (4, 63, "authenticator"),
            (5, 20, "user_id"),
            (6, 1, "row"),
            (7, 44, "email"),
            (8, 1, "company_name"),
            (8, 2, "cif"),
            (8, 18, "hard_token_serial"),
        ];
        assert_eq!(
            places(&rows.join("\n")),
            expected.map(|(line, column, key)| (line, column, key.to_owned()))
        );
    }

    #[test]
    fn places_are_right_also_behind_empty_lines_and_quotes_and_in_files_of_spreadsheets() {
        let bad = GOOD.replace("budi,", "bu di,");
        let user_id = |line, column| vec![(line, column, "user_id".to_owned())];
        let text = format!("\u{feff}{HEADER}\r\n{GOOD}\r\n\r\n{bad}\r\n");
        assert_eq!(places(&text), user_id(4, 20));
        assert_eq!(places(&format!("{HEADER}\n\n{GOOD}\n\n\n{bad}\n")), user_id(6, 20));
        let quoted = bad.replace("PT Acme", "\"PT \"\"Ä, B\"\", C\"");
        assert_eq!(places(&format!("{HEADER}\n{quoted}\n")), user_id(2, 29));
        let broken = bad.replace("PT Acme,123", "PT Acme,\"12\n3\"");
        let cif = (2, 9, "cif".to_owned());
        assert_eq!(places(&format!("{HEADER}\n{broken}\n")), [vec![cif], user_id(3, 11)].concat());
    }

    #[test]
    fn a_report_names_the_file_and_quotes_no_phone() {
        let error = load_text(&format!("{HEADER}\n{}", GOOD.replace("+628123456745", "+62812345674x")));
        let report = error.unwrap_err().to_string();
        let expected =
            ":2:30: phone: found something else, allowed 8 to 15 digits, country code included, behind +, ";
        assert!(report.starts_with('/') && report.contains(expected), "{report}");
        assert!(!report.contains("812345674"), "{report}");
        let twice = load_text(&format!("{HEADER}\n{GOOD}\n{GOOD}")).unwrap_err().to_string();
        assert!(
            twice.ends_with(
                ":3:20: user_id: found the corporate_id and user_id of an earlier row, allowed each once"
            ),
            "{twice}"
        );
    }

    #[test]
    fn a_file_without_its_columns_is_refused() {
        for (header, found) in [
            ("", ":1:1: company_name: found no such column, allowed the columns company_name,"),
            ("phone", ":1:1: company_name: found no such column, allowed the columns company_name,"),
            (&format!("{HEADER},phone"), ":1:1: row: found a column twice or unknown, allowed the columns "),
            (&HEADER.replace("cif", "CIF"), ":1:1: cif: found no such column, allowed the columns "),
        ] {
            let refused = load_text(header).unwrap_err().to_string();
            assert!(refused.contains(found), "{header}: {refused}");
        }
        let missing = load(
            Path::new("/nowhere/s.csv"),
            &NumberingPlan::new("62", "0").unwrap(),
            &Store::new(store::Config::default(), 1, Arc::new(Metrics::new())),
        );
        assert_eq!(
            missing.unwrap_err().to_string(),
            "/nowhere/s.csv:1:1: found nothing that can be read (No such file or directory), allowed a CSV file"
        );
    }
}
