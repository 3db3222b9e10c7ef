//! Reads just enough of Rust to know which paths a module names, its tests left out.

use std::iter::Peekable;
use std::str::Chars;

/// A piece of source text that is code; a comment is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An identifier or keyword.
    Word(String),
    /// `::`
    PathSeparator,
    /// A string, character, number or lifetime.
    Literal,
    /// Any other character.
    Mark(char),
}

/// What a module names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Every path, from the crate's root or beginning with another crate's name.
    pub(super) paths: Vec<Path>,
    /// The modules that are only compiled for tests.
    pub(super) test_modules: Vec<String>,
}

/// A path as written, `self`, `super` and braces resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Whether it begins at the root of our crate.
    pub(super) ours: bool,
    /// Its segments; `*` for all of a module.
    pub(super) segments: Vec<String>,
}

/// The paths that `text`, the module `depth` levels below the crate's root, names outside tests.
pub(super) fn named(text: &str, depth: usize) -> Named {
    let (tokens, test_modules) = without_tests(&tokens(text));
    let mut paths = Vec::new();
    for at in 0..tokens.len() {
        let continues = at > 0 && matches!(tokens[at - 1], Token::PathSeparator | Token::Mark('.'));
        let Token::Word(word) = &tokens[at] else { continue };
        let next = tokens.get(at + 1);
        if word == "crate" && next == Some(&Token::Word("as".into())) {
            paths.push(Path { ours: true, segments: Vec::new() });
        }
        if continues || next != Some(&Token::PathSeparator) {
            continue;
        }
        let (prefix, ours) = match (word.as_str(), supers(&tokens[at..])) {
            ("crate" | "otp_gateway", _) => (2, true),
            // `super` from a room's own file is the crate's root; further down it stays in the room.
            ("super" | "self", (count, length)) if count >= depth && count > 0 => (length, true),
            ("super" | "self" | "Self", _) => continue,
            _ => (0, false),
        };
        collect(&tokens[at + prefix..], ours, &[], &mut paths);
    }
    Named { paths, test_modules }
}

/// How many `super::` a path begins with, and how many tokens they and a leading `self::` take.
fn supers(tokens: &[Token]) -> (usize, usize) {
    let is = |at: usize, word: &str| {
        tokens.get(at) == Some(&Token::Word(word.into())) && tokens.get(at + 1) == Some(&Token::PathSeparator)
    };
    let start = if is(0, "self") { 2 } else { 0 };
    let count = (0..).take_while(|count| is(start + 2 * count, "super")).count();
    (count, start + 2 * count)
}

/// Collects the leaves of a path or a `use` tree that begins at `tokens`; returns how many tokens
/// it takes.
fn collect(tokens: &[Token], ours: bool, above: &[String], into: &mut Vec<Path>) -> usize {
    let leaf = |segments: &[String]| Path { ours, segments: segments.to_vec() };
    let with = |segment: &str| [above, &[segment.to_owned()]].concat();
    match tokens.first() {
        Some(Token::Word(word)) if word == "self" => {
            into.push(leaf(above));
            1
        }
        Some(Token::Word(word)) => {
            let path = with(word);
            let goes_on = |next: &Token| matches!(next, Token::Word(_) | Token::Mark('{' | '*'));
            if tokens.get(1) == Some(&Token::PathSeparator) && tokens.get(2).is_some_and(goes_on) {
                return 2 + collect(&tokens[2..], ours, &path, into);
            }
            into.push(leaf(&path));
            1
        }
        Some(Token::Mark('*')) => {
            into.push(leaf(&with("*")));
            1
        }
        Some(Token::Mark('{')) => {
            let mut at = 1;
            while at < tokens.len() && tokens[at] != Token::Mark('}') {
                at += match &tokens[at] {
                    Token::Word(word) if word == "as" => 2,
                    Token::Word(_) | Token::Mark('{' | '*') => collect(&tokens[at..], ours, above, into),
                    _ => 1,
                };
            }
            at + 1
        }
        _ => {
            into.push(leaf(above));
            1
        }
    }
}

/// The tokens without the items under `#[cfg(test)]`, and the names of the modules among these that
/// are files of their own.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut test_modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        match attribute(&tokens[at..]) {
            Some((length, true)) => {
                let item = item_length(&tokens[at + length..]);
                test_modules.extend(module_name(&tokens[at + length..at + length + item]));
                at += length + item;
            }
            Some((length, false)) => {
                kept.extend_from_slice(&tokens[at..at + length]);
                at += length;
            }
            None => {
                kept.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (kept, test_modules)
}

/// The length of the attribute that `tokens` begin with, and whether it is `cfg(test)`.
fn attribute(tokens: &[Token]) -> Option<(usize, bool)> {
    if tokens.len() < 2 || tokens[..2] != [Token::Mark('#'), Token::Mark('[')] {
        return None;
    }
    let end = 1 + group_length(&tokens[1..]);
    let words: Vec<&str> = tokens[2..end]
        .iter()
        .filter_map(|token| if let Token::Word(word) = token { Some(word.as_str()) } else { None })
        .collect();
    Some((end, words == ["cfg", "test"]))
}

/// The length of the group in brackets or braces that `tokens` begin with.
fn group_length(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

/// The length of the item that `tokens` begin with: up to its semicolon or the end of its braces.
fn item_length(tokens: &[Token]) -> usize {
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            Token::Mark(';') => return at + 1,
            Token::Mark('{') => return at + group_length(&tokens[at..]),
            Token::Mark('(' | '[') => at += group_length(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}

/// The name of the module that an item declares without giving its body.
fn module_name(item: &[Token]) -> Option<String> {
    let declares = item.last() == Some(&Token::Mark(';'));
    let at = item.iter().position(|token| *token == Token::Word("mod".into()))?;
    match item.get(at + 1) {
        Some(Token::Word(name)) if declares => Some(name.clone()),
        _ => None,
    }
}

/// Cuts source text into tokens.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        let next = chars.peek().copied();
        match (first, next) {
            ('/', Some('/')) => drop(chars.by_ref().find(|c| *c == '\n')),
            ('/', Some('*')) => skip_block_comment(&mut chars),
            (':', Some(':')) => {
                chars.next();
                tokens.push(Token::PathSeparator);
            }
            ('"', _) => {
                skip_string(&mut chars, '"');
                tokens.push(Token::Literal);
            }
            ('\'', _) => {
                skip_character_or_lifetime(&mut chars);
                tokens.push(Token::Literal);
            }
            _ if first.is_alphanumeric() || first == '_' => {
                let mut word = String::from(first);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                tokens.push(word_or_literal(word, &mut chars));
            }
            _ if first.is_whitespace() => {}
            _ => tokens.push(Token::Mark(first)),
        }
    }
    tokens
}

/// A word, unless it is a number or the prefix of a raw string.
fn word_or_literal(word: String, chars: &mut Peekable<Chars<'_>>) -> Token {
    match chars.peek() {
        _ if word.starts_with(|c: char| c.is_ascii_digit()) => Token::Literal,
        Some('"' | '#') if matches!(word.as_str(), "r" | "br" | "cr") => {
            let hashes = std::iter::from_fn(|| chars.next_if_eq(&'#')).count();
            if chars.next_if_eq(&'"').is_some() {
                skip_raw_string(chars, hashes);
                return Token::Literal;
            }
            // A raw identifier: its word follows.
            Token::Literal
        }
        _ => Token::Word(word),
    }
}

/// Skips past the quote that ends a string; its first quote is read already.
fn skip_string(chars: &mut Peekable<Chars<'_>>, quote: char) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            _ if c == quote => return,
            _ => {}
        }
    }
}

fn skip_raw_string(chars: &mut Peekable<Chars<'_>>, hashes: usize) {
    while let Some(c) = chars.next() {
        if c == '"' && (0..hashes).all(|_| chars.next_if_eq(&'#').is_some()) {
            return;
        }
    }
}

fn skip_character_or_lifetime(chars: &mut Peekable<Chars<'_>>) {
    match chars.next() {
        Some('\\') => {
            chars.next();
            skip_string(chars, '\'');
        }
        Some(c) if c.is_alphanumeric() || c == '_' => {
            if chars.next_if_eq(&'\'').is_none() {
                while chars.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {}
            }
        }
        _ => drop(chars.next_if_eq(&'\'')),
    }
}

fn skip_block_comment(chars: &mut Peekable<Chars<'_>>) {
    let mut depth = 1;
    chars.next();
    while depth > 0
        && let Some(c) = chars.next()
    {
        match (c, chars.peek()) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => continue,
        }
        chars.next();
    }
}
