//! Which images hold a package: compressed bitmaps, rebuilt at start and kept up with every new image.
//!
//! An image is a stack of layers, and what a layer brings to it is a *package set*. Images built on one base share its sets, so a
//! package leads to few sets and those to many images: 10 million rows of "this layer has this package" fit into tens of
//! megabytes, and the images of a package are a union of bitmaps.

use roaring::RoaringBitmap;

/// Packages, package sets and images, by the numbers that the store gives them.
#[derive(Debug, Default)]
pub struct Postings {
    /// By package: the sets that hold it.
    sets: Vec<RoaringBitmap>,
    /// By set: the images that have it.
    images: Vec<RoaringBitmap>,
}

impl Postings {
    /// Notes what a new set holds.
    pub fn add_set(&mut self, set: u32, packages: impl IntoIterator<Item = u32>) {
        for package in packages {
            slot(&mut self.sets, package).insert(set);
        }
    }

    /// Notes which sets an image is made of.
    pub fn add_image(&mut self, image: u32, sets: impl IntoIterator<Item = u32>) {
        for set in sets {
            slot(&mut self.images, set).insert(image);
        }
    }

    /// Forgets an image, whose inventory is replaced.
    pub fn remove_image(&mut self, image: u32, sets: impl IntoIterator<Item = u32>) {
        for set in sets {
            slot(&mut self.images, set).remove(image);
        }
    }

    /// All images.
    pub fn all_images(&self) -> RoaringBitmap {
        self.images.iter().fold(RoaringBitmap::new(), |all, own| all | own)
    }

    /// The images that hold any of these packages.
    pub fn images_with(&self, packages: impl IntoIterator<Item = u32>) -> RoaringBitmap {
        let mut sets = RoaringBitmap::new();
        for package in packages {
            if let Some(own) = self.sets.get(package as usize) {
                sets |= own;
            }
        }
        let mut images = RoaringBitmap::new();
        for set in sets {
            if let Some(own) = self.images.get(set as usize) {
                images |= own;
            }
        }
        images
    }
}

fn slot(bitmaps: &mut Vec<RoaringBitmap>, number: u32) -> &mut RoaringBitmap {
    let at = number as usize;
    if bitmaps.len() <= at {
        bitmaps.resize_with(at + 1, RoaringBitmap::new);
    }
    &mut bitmaps[at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// The bitmaps say what nested loops over the rows say.
        #[test]
        fn images_are_those_whose_sets_hold_the_package(
            sets in prop::collection::vec(prop::collection::btree_set(0u32..20, 0..6), 1..8),
            images in prop::collection::vec(prop::collection::btree_set(0u32..8, 0..4), 0..10),
            gone in prop::collection::btree_set(0usize..10, 0..3),
            asked in prop::collection::btree_set(0u32..24, 0..4),
        ) {
            let mut postings = Postings::default();
            for (number, packages) in sets.iter().enumerate() {
                postings.add_set(number as u32, packages.iter().copied());
            }
            for (number, own) in images.iter().enumerate() {
                postings.add_image(number as u32, own.iter().copied());
            }
            for &number in gone.iter().filter(|&&number| number < images.len()) {
                postings.remove_image(number as u32, images[number].iter().copied());
            }
            let holds = |image: &BTreeSet<u32>| {
                image.iter().filter_map(|&set| sets.get(set as usize)).any(|packages| !packages.is_disjoint(&asked))
            };
            let expected: Vec<u32> = images
                .iter()
                .enumerate()
                .filter(|(number, image)| !gone.contains(number) && holds(image))
                .map(|(number, _)| number as u32)
                .collect();
            let left = (0..images.len()).filter(|number| !gone.contains(number) && !images[*number].is_empty());
            prop_assert_eq!(postings.all_images().iter().collect::<Vec<_>>(), left.map(|number| number as u32).collect::<Vec<_>>());
            prop_assert_eq!(postings.images_with(asked.iter().copied()).iter().collect::<Vec<_>>(), expected);
        }
    }
}
