//! What declares a section or a set of words once.

/// A struct of settings that all have a default: `field: Type [form] = default`. Without a form, the type has one
/// of its own ([`Setting`](crate::Setting)). A form can name the settings before its own.
///
/// It makes the struct, its `Default`, and `read`, which takes the settings from a [`Section`](crate::Section).
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident : $type:ty $([$form:expr])? = $default:expr, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name { $( $(#[$field_meta])* $field_vis $field: $type, )+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        impl $name {
            /// Reads the settings of `section`: all are within their bounds.
            $vis fn read(section: &$crate::Section<'_>) -> Self {
                $(
                    let $field: $type =
                        section.or(stringify!($field), $crate::form_of!($type $([$form])?), $default);
                )+
                Self { $( $field, )+ }
            }
        }
    };
}

/// The form that is given, or else the type's own.
#[doc(hidden)]
#[macro_export]
macro_rules! form_of {
    ($type:ty) => {
        $crate::own::<$type>()
    };
    ($type:ty [$form:expr]) => {
        $form
    };
}

/// An enum of the words that a setting may be: `Variant = "word"`. It makes the enum, `ALL`, `name`, and its
/// [`Setting`](crate::Setting).
#[macro_export]
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $( $(#[$variant_meta])* $variant, )+ }

        impl $name {
            /// All of them, in their order.
            $vis const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// As it is written.
            $vis const fn name(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl $crate::Setting for $name {
            fn allowed() -> String {
                $crate::Form::allowed(&$crate::one_of(Self::ALL, Self::name))
            }

            fn read(entry: &$crate::Entry<'_>) -> Option<Self> {
                $crate::Form::read(&$crate::one_of(Self::ALL, Self::name), entry)
            }
        }
    };
}
