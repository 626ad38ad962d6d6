//! Whose a body may be: the business numbers whose secret signed it, and which of them each part of it names.

use model::NumberId;

/// The business numbers for which a body is read.
///
/// What it brings is believed for those alone whose secret signed it. A part that names another number of the same
/// bridge is recorded under [`Scope::number`]: the true message, which comes by another push or by the list, is not
/// mistaken for known then.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'n> {
    /// A number whose secret signed the body.
    pub number: &'n NumberId,
    /// Further ones, whose secret signed it as well: each part of the body has to name its number.
    pub beside: &'n [NumberId],
    /// The other numbers of the bridge.
    pub unproven: &'n [NumberId],
}

impl<'n> From<&'n NumberId> for Scope<'n> {
    /// The scope of a bridge with one number.
    fn from(number: &'n NumberId) -> Self {
        Self {
            number,
            beside: &[],
            unproven: &[],
        }
    }
}

/// The business number that a part of a body is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose<'n> {
    /// One for which the body is believed.
    Ours(&'n NumberId),
    /// One of the bridge's for which it is not.
    Unproven(&'n NumberId),
    /// None of the bridge's.
    Foreign(NumberId),
    /// It names none, and there are several that it may be.
    Unnamed,
}

impl<'n> Scope<'n> {
    /// The number that something is about, by the first of `ids` that says anything. What names none came on the only
    /// number's own webhook, where there is one only.
    ///
    /// # Errors
    /// What is wrong with an id that is none.
    pub(super) fn whose<const N: usize>(
        &self,
        ids: [Option<&str>; N],
    ) -> Result<Whose<'n>, &'static str> {
        let Some(id) = ids.into_iter().flatten().next() else {
            return Ok(match self.beside {
                [] => Whose::Ours(self.number),
                [_, ..] => Whose::Unnamed,
            });
        };
        let Ok(id) = NumberId::new(id) else {
            return Err("a phone_number_id that is none");
        };
        let mut believed = std::iter::once(self.number).chain(self.beside);
        if let Some(ours) = believed.find(|ours| **ours == id) {
            return Ok(Whose::Ours(ours));
        }
        let unproven = self.unproven.iter().find(|ours| **ours == id);
        Ok(unproven.map_or(Whose::Foreign(id), Whose::Unproven))
    }
}
