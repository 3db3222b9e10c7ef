//! What settings may be: each form reads a value, and says in words what it allows.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::entry::Entry;

/// What a setting may be.
pub trait Form {
    /// What it is once it is read.
    type Value;

    /// What may be written, in words: what stands behind "allowed".
    fn allowed(&self) -> String;

    /// Reads the value; `None` once it is refused, which is noted with [`Entry::refuse`].
    fn read(&self, entry: &Entry<'_>) -> Option<Self::Value>;

    /// The default, in words, if it is not allowed beside the other settings.
    fn refuses(&self, _default: &Self::Value) -> Option<String> {
        None
    }
}

/// A type whose values settings can be without more bounds than the type has.
pub trait Setting: Sized {
    /// As [`Form::allowed`].
    fn allowed() -> String;

    /// As [`Form::read`].
    fn read(entry: &Entry<'_>) -> Option<Self>;
}

/// The form of a [`Setting`]; see [`own`].
#[derive(Clone, Copy, Debug)]
pub struct Own<T>(PhantomData<T>);

/// The form that the type itself has.
pub const fn own<T: Setting>() -> Own<T> {
    Own(PhantomData)
}

impl<T: Setting> Form for Own<T> {
    type Value = T;

    fn allowed(&self) -> String {
        T::allowed()
    }

    fn read(&self, entry: &Entry<'_>) -> Option<T> {
        T::read(entry)
    }
}

impl Setting for bool {
    fn allowed() -> String {
        "true or false".into()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.truth().or_else(|| entry.refuse(Self::allowed()))
    }
}

impl Setting for String {
    fn allowed() -> String {
        "a text".into()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.text().map(str::to_owned).or_else(|| entry.refuse(Self::allowed()))
    }
}

impl Setting for SocketAddr {
    fn allowed() -> String {
        "an IP address and a port such as \"127.0.0.1:8080\"".into()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.text().and_then(|text| text.parse().ok()).or_else(|| entry.refuse(Self::allowed()))
    }
}

/// What a range can bound.
pub trait Bounded: PartialOrd + Copy {
    /// What it is called before its bounds: `a whole number`.
    const KIND: &'static str;

    /// The value of an entry of this kind, in bounds or not; `None` for another kind.
    fn of(entry: &Entry<'_>) -> Option<Result<Self, OutOfType>>;

    /// As a setting is written.
    fn written(&self) -> String;
}

/// A value of the right kind that the type has no room for.
#[derive(Clone, Copy, Debug)]
pub struct OutOfType;

macro_rules! bounded_whole {
    ($($type:ty),+) => { $(
        impl Bounded for $type {
            const KIND: &'static str = "a whole number";

            fn of(entry: &Entry<'_>) -> Option<Result<Self, OutOfType>> {
                entry.whole().map(|number| Self::try_from(number).map_err(|_| OutOfType))
            }

            fn written(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}

bounded_whole!(u8, u16, u32, u64, usize);

/// As people write it: `180s`, `15m`, `1h 30m`.
impl Bounded for Duration {
    const KIND: &'static str = "a duration";

    fn of(entry: &Entry<'_>) -> Option<Result<Self, OutOfType>> {
        humantime::parse_duration(entry.text()?).ok().map(Ok)
    }

    fn written(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

/// A value within both bounds.
impl<T: Bounded> Form for RangeInclusive<T> {
    type Value = T;

    fn allowed(&self) -> String {
        format!("{} from {}", T::KIND, bounds(self))
    }

    fn read(&self, entry: &Entry<'_>) -> Option<T> {
        match T::of(entry) {
            Some(Ok(value)) if self.contains(&value) => Some(value),
            Some(_) => entry.refuse(bounds(self)),
            None => entry.refuse(self.allowed()),
        }
    }

    fn refuses(&self, default: &T) -> Option<String> {
        (!self.contains(default)).then(|| default.written())
    }
}

fn bounds<T: Bounded>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start().written(), range.end().written())
}

/// `count` seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// `count` minutes.
pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A form that a function reads.
struct By<R, A> {
    read: R,
    allowed: A,
}

impl<T, R: Fn(&Entry<'_>) -> Option<T>, A: fmt::Display> Form for By<R, A> {
    type Value = T;

    fn allowed(&self) -> String {
        self.allowed.to_string()
    }

    fn read(&self, entry: &Entry<'_>) -> Option<T> {
        (self.read)(entry).or_else(|| entry.refuse(&self.allowed))
    }
}

/// A text that `parse` takes; `allowed` says which it takes.
pub fn text<T>(allowed: impl fmt::Display, parse: impl Fn(&str) -> Option<T>) -> impl Form<Value = T> {
    By { read: move |entry: &Entry<'_>| entry.text().and_then(&parse), allowed }
}

/// A whole number that `parse` takes; `allowed` says which it takes.
pub fn whole<T>(allowed: impl fmt::Display, parse: impl Fn(i128) -> Option<T>) -> impl Form<Value = T> {
    By { read: move |entry: &Entry<'_>| entry.whole().and_then(&parse), allowed }
}

/// A whole number within both bounds that is usually written in hexadecimal, from 0x400 to 0x4FF.
pub fn hex<T: Copy + PartialOrd + TryFrom<i128> + fmt::UpperHex>(
    range: RangeInclusive<T>,
) -> impl Form<Value = T> {
    let allowed = format!("0x{:X} to 0x{:X}", range.start(), range.end());
    whole(allowed, move |number| T::try_from(number).ok().filter(|number| range.contains(number)))
}

/// A text of so many printable ASCII characters, blanks among them.
pub fn printable(length: RangeInclusive<usize>) -> impl Form<Value = String> {
    let allowed = match length.start() {
        0 => format!("up to {} printable ASCII characters", length.end()),
        least => format!("{least} to {} printable ASCII characters", length.end()),
    };
    let is_printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    text(allowed, move |text| {
        (length.contains(&text.len()) && text.bytes().all(is_printable)).then(|| text.into())
    })
}

/// One of `all`, by its name.
pub fn one_of<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> impl Form<Value = T> {
    let allowed = names(all.iter().map(|value| name(*value)));
    text(allowed, move |text| all.iter().copied().find(|value| name(*value) == text))
}

/// `"a", "b" or "c"`.
fn names(names: impl ExactSizeIterator<Item = &'static str>) -> String {
    let last = names.len().saturating_sub(1);
    names.enumerate().fold(String::new(), |list, (index, name)| {
        let between = if index == 0 {
            ""
        } else if index == last {
            " or "
        } else {
            ", "
        };
        list + between + &format!("\"{name}\"")
    })
}

/// Another form's value, changed.
pub fn map<F: Form, T>(form: F, change: impl Fn(F::Value) -> T) -> impl Form<Value = T> {
    Map { form, change }
}

/// A setting that may be absent.
pub fn optional<F: Form>(form: F) -> impl Form<Value = Option<F::Value>> {
    map(form, Some)
}

struct Map<F, C> {
    form: F,
    change: C,
}

impl<F: Form, T, C: Fn(F::Value) -> T> Form for Map<F, C> {
    type Value = T;

    fn allowed(&self) -> String {
        self.form.allowed()
    }

    fn read(&self, entry: &Entry<'_>) -> Option<T> {
        self.form.read(entry).map(&self.change)
    }
}

/// A list of `count` items in another form; `items` is what they are called.
pub fn list<F: Form>(
    count: RangeInclusive<usize>,
    items: &'static str,
    form: F,
) -> impl Form<Value = Vec<F::Value>> {
    List { count, items, form, is_other: |_: &[F::Value], _: &F::Value| true }
}

/// The same, no two items of which are the same.
pub fn set<F: Form<Value: PartialEq>>(
    count: RangeInclusive<usize>,
    items: &'static str,
    form: F,
) -> impl Form<Value = Vec<F::Value>> {
    List { count, items, form, is_other: |before: &[F::Value], item: &F::Value| !before.contains(item) }
}

struct List<F, O> {
    count: RangeInclusive<usize>,
    items: &'static str,
    form: F,
    /// Whether an item may follow those before.
    is_other: O,
}

impl<F: Form, O: Fn(&[F::Value], &F::Value) -> bool> Form for List<F, O> {
    type Value = Vec<F::Value>;

    fn allowed(&self) -> String {
        format!("a list of {} to {} {}", self.count.start(), self.count.end(), self.items)
    }

    fn read(&self, entry: &Entry<'_>) -> Option<Self::Value> {
        let Some(items) = entry.items() else { return entry.refuse(self.allowed()) };
        let count = items.len();
        if !self.count.contains(&count) {
            return entry.refuse_found(format_args!("{count} {}", self.items), self.allowed());
        }
        let mut values = Vec::with_capacity(count);
        for item in items {
            // What else is wrong in the list is to be noted, too.
            let Some(value) = self.form.read(&item) else { continue };
            if (self.is_other)(&values, &value) {
                values.push(value);
            } else {
                item.refuse::<()>("each once");
            }
        }
        (values.len() == count).then_some(values)
    }
}
