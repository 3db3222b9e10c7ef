//! Enums whose values have names: the same on the wire, in logs and as labels of metrics.

/// An enum of named values, declared by [`named!`], so that every value has a name and every metric labelled
/// by it a counter for each value.
pub(crate) trait Named: Copy + 'static {
    /// Every value, in the order of declaration.
    const ALL: &'static [Self];

    /// Distinct among [`ALL`](Self::ALL).
    fn name(self) -> &'static str;

    /// The position in [`ALL`](Self::ALL).
    fn index(self) -> usize;

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.name() == name)
    }
}

/// Declares an enum with a name for each value, and implements [`Named`] for it.
macro_rules! named {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $type:ident { $( $(#[$value_meta:meta])* $value:ident = $name:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $type { $( $(#[$value_meta])* $value, )+ }

        impl $crate::named::Named for $type {
            const ALL: &'static [Self] = &[$( Self::$value, )+];

            fn name(self) -> &'static str {
                match self { $( Self::$value => $name, )+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use super::Named as _;

    named! {
        enum Fruit {
            Apple = "apple",
            Pear = "pear",
        }
    }

    #[test]
    fn every_value_has_a_place_and_a_name_that_leads_back_to_it() {
        for (index, fruit) in Fruit::ALL.iter().enumerate() {
            assert_eq!((fruit.index(), Fruit::from_name(fruit.name())), (index, Some(*fruit)));
        }
        assert_eq!(Fruit::ALL.len(), 2);
        assert_eq!(Fruit::from_name("plum"), None);
    }
}
