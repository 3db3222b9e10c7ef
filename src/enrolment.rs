//! Loads the subscribers from the bank's CSV file into the store. Every bad row is reported with line, column
//! and reason; a single one prevents the start.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

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

/// One mistake in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The line, from 1.
    pub(crate) line: u64,
    /// The column's name, or `row`.
    pub(crate) column: &'static str,
    /// What is wrong. It does not quote the row.
    pub(crate) reason: String,
}

/// Why the subscribers were not loaded.
#[derive(Debug)]
pub enum EnrolmentError {
    /// The file cannot be read.
    Io(PathBuf, io::Error),
    /// The first line does not name the columns.
    Header(PathBuf, String),
    /// These rows are wrong: all of them, in the order of the file.
    Rows(PathBuf, Vec<BadRow>),
}

impl fmt::Display for EnrolmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(
                f,
                "subscribers.file: found {}: {error}, allowed a file that can be read",
                path.display()
            ),
            Self::Header(path, reason) => write!(f, "{}:1: {reason}", path.display()),
            Self::Rows(path, rows) => {
                for row in rows {
                    writeln!(f, "{}:{}: {}: {}", path.display(), row.line, row.column, row.reason)?;
                }
                write!(f, "{}: {} mistakes; nothing was loaded", path.display(), rows.len())
            }
        }
    }
}

impl std::error::Error for EnrolmentError {}

/// Enrols the subscriber of every row of the CSV file at `path`; returns their number.
///
/// # Errors
///
/// [`EnrolmentError`]; the store may then hold some of the rows, and must not be used.
pub(crate) fn load(path: &Path, plan: &NumberingPlan, store: &Store) -> Result<u64, EnrolmentError> {
    let io_error = |error| EnrolmentError::Io(path.into(), error);
    let file = File::open(path).map_err(io_error)?;
    // Flexible, so that rows with too few or too many fields are reported here, with the others.
    // Lines end at \n, so that they are counted correctly in files with \r\n, too; `field` removes the \r.
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).terminator(csv::Terminator::Any(b'\n')).from_reader(file);
    let headers = reader.byte_headers().map_err(|error| io_error(error.into()))?;
    let order = column_order(headers).map_err(|reason| EnrolmentError::Header(path.into(), reason))?;
    let mut bad_rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    let mut enrolled = 0;
    while reader.read_byte_record(&mut record).map_err(|error| io_error(error.into()))? {
        if record.len() == 1 && &record[0] == b"\r" {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        match enrol_row(&record, &order, plan, store) {
            Ok(()) => enrolled += 1,
            Err(mistakes) => {
                let bad = |(column, reason)| BadRow { line, column, reason };
                bad_rows.extend(mistakes.into_iter().map(bad));
            }
        }
    }
    if bad_rows.is_empty() { Ok(enrolled) } else { Err(EnrolmentError::Rows(path.into(), bad_rows)) }
}

/// The position of each of [`COLUMNS`] in the file.
fn column_order(headers: &csv::ByteRecord) -> Result<[usize; COLUMNS.len()], String> {
    let mut order = [0; COLUMNS.len()];
    for (place, column) in order.iter_mut().zip(COLUMNS) {
        let named = |place: &usize| field(headers, *place) == column.as_bytes();
        *place = (0..headers.len())
            .find(named)
            .ok_or_else(|| format!("no column {column}; the columns are {}", COLUMNS.join(",")))?;
    }
    match headers.len() {
        8 => Ok(order),
        _ => Err(format!("a column twice or unknown; the columns are {}", COLUMNS.join(","))),
    }
}

/// A field of a row, without the `\r` that the last one of a line ending in `\r\n` comes with.
fn field(record: &csv::ByteRecord, place: usize) -> &[u8] {
    record[place].strip_suffix(b"\r").unwrap_or(&record[place])
}

type Mistakes = Vec<(&'static str, String)>;

fn enrol_row(
    record: &csv::ByteRecord,
    order: &[usize; COLUMNS.len()],
    plan: &NumberingPlan,
    store: &Store,
) -> Result<(), Mistakes> {
    if record.len() != COLUMNS.len() {
        return Err(vec![("row", format!("has {} fields instead of {}", record.len(), COLUMNS.len()))]);
    }
    let mut row = Row { mistakes: Vec::new() };
    let fields = order.map(|place| std::str::from_utf8(field(record, place)).ok());
    for (field, column) in fields.iter().zip(COLUMNS) {
        row.require(field.is_some(), column, "must be UTF-8");
    }
    let fields = fields.map(Option::unwrap_or_default);
    row.check_unused(&fields);
    let corporate = row.parsed(CORPORATE_ID, Id::parse(fields[CORPORATE_ID]));
    let user = row.parsed(USER_ID, Id::parse(fields[USER_ID]));
    let phone = row.parsed(PHONE, plan.parse(fields[PHONE]));
    let authenticator = row.parsed(AUTHENTICATOR, parse_authenticator(fields[AUTHENTICATOR]));
    let (Some(corporate), Some(user), Some(phone), Some(authenticator), true) =
        (corporate, user, phone, authenticator, row.mistakes.is_empty())
    else {
        return Err(row.mistakes);
    };
    store.enrol(&SubscriberId { corporate, user }, phone, authenticator).map_err(|refused| {
        let (column, reason) = match refused {
            EnrolRefused::Duplicate => {
                (COLUMNS[USER_ID], "this corporate_id and user_id stand on an earlier row too")
            }
            EnrolRefused::Full => ("row", "more subscribers than store.subscribers_max"),
        };
        vec![(column, reason.to_owned())]
    })
}

fn parse_authenticator(text: &str) -> Result<Authenticator, &'static str> {
    Authenticator::from_name(text).ok_or("must be sms_otp or hard_token")
}

struct Row {
    mistakes: Mistakes,
}

impl Row {
    fn require(&mut self, good: bool, column: &'static str, reason: &str) {
        if !good {
            self.mistakes.push((column, reason.into()));
        }
    }

    fn parsed<T, E: fmt::Display>(&mut self, column: usize, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.mistakes.push((COLUMNS[column], error.to_string()))).ok()
    }

    /// Checks the columns that are not used yet: a file that is accepted today must not be refused by a later
    /// version that uses them.
    fn check_unused(&mut self, fields: &[&str; COLUMNS.len()]) {
        let name = fields[COMPANY_NAME];
        let printable = name.chars().count() <= COMPANY_NAME_CHARS_MAX && !name.chars().any(char::is_control);
        self.require(
            printable && !name.trim().is_empty(),
            COLUMNS[COMPANY_NAME],
            "must be 1 to 140 characters without control characters",
        );
        self.require(is_number(fields[CIF]), COLUMNS[CIF], "must be 1 to 32 of A-Z, a-z, 0-9 and '-'");
        let no_token = fields[HARD_TOKEN_SERIAL].is_empty() && fields[AUTHENTICATOR] == "sms_otp";
        self.require(
            no_token || is_number(fields[HARD_TOKEN_SERIAL]),
            COLUMNS[HARD_TOKEN_SERIAL],
            "must be 1 to 32 of A-Z, a-z, 0-9 and '-'; empty only with sms_otp",
        );
        self.require(
            is_email(fields[EMAIL]),
            COLUMNS[EMAIL],
            "must be an address such as finance@acme.example",
        );
    }
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

    fn load_text(text: &str) -> Result<u64, EnrolmentError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let store = Store::new(store::Config::default(), 10, Arc::new(Metrics::new()));
        load(file.path(), &NumberingPlan::new("62", "0").unwrap(), &store)
    }

    fn bad_rows(rows: &str) -> Vec<(u64, &'static str)> {
        match load_text(&format!("{HEADER}\n{rows}")) {
            Err(EnrolmentError::Rows(_, rows)) => rows.iter().map(|row| (row.line, row.column)).collect(),
            other => panic!("expected bad rows, got {other:?}"),
        }
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
    fn every_bad_row_is_listed_with_line_column_and_reason() {
        let rows = [
            GOOD.to_owned(),
            GOOD.replace("+628123456745", "12"),
            GOOD.replace("budi,", "bu di,").replace("sms_otp", "token"),
            GOOD.to_lowercase(),
            "PT Acme,123".to_owned(),
            GOOD.replace("budi,", "siti,").replace("budi@acme.example", "budi"),
            GOOD.replace("PT Acme", "").replace(",123,", ",1 3,").replace("SN-1", "S/N"),
        ];
        let expected = [
            (3, "phone"),
            (4, "user_id"),
            (4, "authenticator"),
            (5, "user_id"),
            (6, "row"),
            (7, "email"),
            (8, "company_name"),
            (8, "cif"),
            (8, "hard_token_serial"),
        ];
        assert_eq!(bad_rows(&rows.join("\n")), expected);
    }

    #[test]
    fn lines_are_counted_right_also_in_files_of_spreadsheets() {
        let text = format!("\u{feff}{HEADER}\r\n{GOOD}\r\n\r\n{}\r\n", GOOD.replace("budi,", "bu di,"));
        match load_text(&text) {
            Err(EnrolmentError::Rows(_, rows)) => assert_eq!((rows.len(), rows[0].line), (1, 4), "{rows:?}"),
            other => panic!("expected one bad row, got {other:?}"),
        }
    }

    #[test]
    fn a_report_names_the_file_and_quotes_no_phone() {
        let error = load_text(&format!("{HEADER}\n{}", GOOD.replace("+628123456745", "+62812345674x")));
        let report = error.unwrap_err().to_string();
        assert!(report.contains(":2: phone: only digits may follow"), "{report}");
        assert!(!report.contains("812345674"), "{report}");
    }

    #[test]
    fn a_file_without_its_columns_is_refused() {
        for header in ["", "phone", &format!("{HEADER},phone"), &HEADER.replace("cif", "CIF")] {
            let refused = load_text(header);
            assert!(matches!(refused, Err(EnrolmentError::Header(..))), "{header}: {refused:?}");
        }
        let missing = load(
            Path::new("/nowhere/s.csv"),
            &NumberingPlan::new("62", "0").unwrap(),
            &Store::new(store::Config::default(), 1, Arc::new(Metrics::new())),
        );
        assert!(matches!(missing, Err(EnrolmentError::Io(..))));
    }
}
