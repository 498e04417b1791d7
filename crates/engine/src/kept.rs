//! What analyses made of one state and may ask for again. It belongs to the state: another version, another declaration or a
//! proposal laid over it is another state and begins with nothing, so no answer comes from an older city.

use std::{
    any::Any,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Thing = Arc<dyn Any + Send + Sync>;

/// The least lately used goes first.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Vec<(String, usize, Thing)>>);

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.things().len())
    }
}

impl Kept {
    // A list is whole after every step, whoever panicked.
    fn things(&self) -> MutexGuard<'_, Vec<(String, usize, Thing)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get<T: Any + Send + Sync>(&self, key: &str) -> Option<Arc<T>> {
        let mut things = self.things();
        let i = things.iter().position(|t| t.0 == key)?;
        let found = things.remove(i);
        let thing = found.2.clone();
        things.push(found);
        thing.downcast().ok()
    }

    /// `bytes`: about what it takes; what takes more than all the room is not kept.
    pub fn put(&self, key: &str, bytes: usize, thing: Thing, room: usize) {
        let mut things = self.things();
        things.retain(|t| t.0 != key);
        if bytes > room {
            return;
        }
        while things.iter().map(|t| t.1).sum::<usize>() + bytes > room {
            things.remove(0);
        }
        things.push((key.to_owned(), bytes, thing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_lately_used_goes_first_and_a_clone_begins_with_nothing() {
        let kept = Kept::default();
        for (key, n) in [("a", 1u32), ("b", 2), ("c", 3)] {
            kept.put(key, 40, Arc::new(n), 100);
            // Asked for again: `a` is the last to go.
            kept.get::<u32>("a");
        }
        assert_eq!(["a", "b", "c"].map(|k| kept.get::<u32>(k).map(|n| *n)), [Some(1), None, Some(3)]);
        kept.put("d", 101, Arc::new(4u32), 100);
        assert_eq!((kept.get::<u32>("d"), kept.get::<u64>("c")), (None, None), "too large, and of another kind");
        assert!(kept.clone().get::<u32>("a").is_none());
    }
}
