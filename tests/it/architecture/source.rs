//! The modules of a crate, and what each of them names outside its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Arm, Attribute, Field, ImplItem, Item, ItemUse, Macro, UseTree, Variant, VisRestricted};

/// A module that is compiled into its crate.
#[derive(Debug)]
pub(super) struct Module {
    /// `lib` or `main` for a crate's root, otherwise the path from it: `sms::link`.
    pub(super) name: String,
    /// Every path that it names.
    pub(super) names: BTreeSet<Name>,
}

/// A path that a module names, `self`, `super`, braces and imported modules resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Whether it begins at the root of the module's own crate.
    pub(super) ours: bool,
    /// Its segments, joined by `::`; `*` for all of a module.
    pub(super) path: String,
}

impl Module {
    /// The module with this source text, as if it had no modules below it.
    pub(super) fn parse(name: &str, text: &str) -> Self {
        Self::new(name, &syn::parse_file(text).expect("Rust").items)
    }

    fn new(name: &str, items: &[Item]) -> Self {
        let path = if is_root(name) { Vec::new() } else { name.split("::").map(str::to_owned).collect() };
        let children =
            items.iter().filter_map(|item| if let Item::Mod(child) = item { Some(child) } else { None });
        let mut scope = Scope { path, known: BTreeMap::new() };
        for child in children.map(|child| child.ident.to_string()) {
            let path = [scope.path.as_slice(), std::slice::from_ref(&child)].concat();
            scope.known.insert(child, path);
        }
        let mut found = Found::default();
        items.iter().for_each(|item| found.visit_item(item));
        for (name, path) in &found.imports {
            if let Some(path) = scope.resolve(path) {
                scope.known.insert(name.clone(), path);
            }
        }
        let imported = found.imports.iter().map(|(_, path)| path);
        let names = imported.chain(&found.paths).map(|path| match scope.resolve(path) {
            Some(path) => Name { ours: true, path: path.join("::") },
            None => Name { ours: false, path: path.join("::") },
        });
        Self { name: name.to_owned(), names: names.collect() }
    }
}

/// Whether `name` is that of a crate's root.
fn is_root(name: &str) -> bool {
    matches!(name, "lib" | "main")
}

/// The modules of the crate whose sources are in `folder`.
pub(super) fn modules(folder: &Path) -> Vec<Module> {
    let mut modules = Vec::new();
    for root in ["lib", "main"] {
        let file = folder.join(root).with_extension("rs");
        if file.exists() {
            collect(root, &read(&file), folder, &mut modules);
        }
    }
    modules
}

fn read(file: &Path) -> Vec<Item> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items
}

/// Collects a module and those below it, whose files are in `folder`.
fn collect(name: &str, items: &[Item], folder: &Path, into: &mut Vec<Module>) {
    into.push(Module::new(name, items));
    for item in items {
        let Item::Mod(child) = item else { continue };
        if is_for_tests(&child.attrs) {
            continue;
        }
        let ident = child.ident.to_string();
        let below = if is_root(name) { ident.clone() } else { format!("{name}::{ident}") };
        match &child.content {
            Some((_, items)) => collect(&below, items, &folder.join(&ident), into),
            None => {
                let file = folder.join(&ident).with_extension("rs");
                collect(&below, &read(&file), &folder.join(ident), into);
            }
        }
    }
}

/// What the names in a module mean.
struct Scope {
    path: Vec<String>,
    /// The modules below it, and what it imports from its own crate.
    known: BTreeMap<String, Vec<String>>,
}

impl Scope {
    /// The path from the crate's root; none for a path into another crate, or of a name that was not imported.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let (head, mut rest) = path.split_first()?;
        let mut from = match head.as_str() {
            "crate" | "otp_gateway" => Vec::new(),
            "self" => self.path.clone(),
            "super" => above(&self.path),
            known => self.known.get(known)?.clone(),
        };
        while let Some((head, after)) = rest.split_first()
            && head == "super"
        {
            (from, rest) = (above(&from), after);
        }
        Some([from.as_slice(), rest].concat())
    }
}

fn above(path: &[String]) -> Vec<String> {
    path.split_last().map(|(_, above)| above.to_vec()).unwrap_or_default()
}

/// The paths in some items, as they are written.
#[derive(Default)]
struct Found {
    /// Of two segments or more.
    paths: BTreeSet<Vec<String>>,
    /// The name that an import brings in, and its path.
    imports: BTreeSet<(String, Vec<String>)>,
}

impl Found {
    fn import(&mut self, tree: &UseTree, above: &[String]) {
        let with = |segment: &syn::Ident| [above, &[segment.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, above)),
            UseTree::Glob(_) => drop(self.imports.insert(("*".into(), [above, &["*".to_owned()]].concat()))),
            UseTree::Name(name) if name.ident == "self" => {
                let module = above.last().cloned().unwrap_or_default();
                self.imports.insert((module, above.to_vec()));
            }
            UseTree::Name(name) => drop(self.imports.insert((name.ident.to_string(), with(&name.ident)))),
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { above.to_vec() } else { with(&rename.ident) };
                self.imports.insert((rename.rename.to_string(), path));
            }
        }
    }

    fn add(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }

    /// The paths in what a macro is given: words with `::` between them.
    fn scan(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.add(std::mem::take(&mut path));
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.add(std::mem::take(&mut path));
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    self.add(std::mem::take(&mut path));
                    colons = 0;
                    self.scan(group.stream());
                }
            }
        }
        self.add(path);
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item(&mut self, item: &'ast Item) {
        // Modules are visited by themselves.
        if !matches!(item, Item::Mod(_)) && !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if is_for_tests(&function.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !is_for_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !is_for_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.visit_path(&called.path);
        self.scan(called.tokens.clone());
    }

    /// Who may see an item is no use of a module.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item is under `#[cfg(test)]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    };
    attributes.iter().any(is_test)
}
