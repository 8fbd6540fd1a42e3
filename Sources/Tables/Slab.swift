/// An element of a slab: it has a place for the link of the free list, unused while the element is.
package protocol SlabElement: BitwiseCopyable {
    var link: UInt32 { get set }
}

/// A fixed number of elements, handed out and taken back by number.
///
/// Theory of operation: numbers that were never used are handed out in order, so that memory is touched only as far as
/// it is needed; freed ones are kept in a list through their `link` and go out again first, the latest one first.
/// Number 0 is never handed out: it stands for "none" everywhere.
package struct Slab<Element: SlabElement>: ~Copyable {
    @usableFromInline package var elements: FixedArray<Element>
    @usableFromInline package var free: UInt32 = 0
    @usableFromInline package var untouched: UInt32 = 1
    /// How many elements are in use.
    @usableFromInline package var used = 0
    /// How many elements can be in use.
    package let capacity: Int

    /// Room for `capacity` elements.
    package init(capacity: Int) {
        self.capacity = capacity
        elements = FixedArray(count: capacity + 1)
    }

    @inlinable package var count: Int { used }
    package var byteCount: Int { elements.byteCount }

    /// One past the largest number that was ever handed out: what a walk over all elements has to visit.
    @inlinable package var highWater: UInt32 { untouched }

    /// The element with a number, in place. Traps outside of the slab.
    @inlinable package subscript(number: UInt32) -> Element {
        _read { yield elements[number] }
        _modify { yield &elements[number] }
    }

    @inlinable package func prefetch(_ number: UInt32) { elements.prefetch(Int(number)) }

    /// A free element's number, its contents whatever they were; nil when all are in use.
    @inlinable package mutating func allocate() -> UInt32? {
        if free != 0 {
            let number = free
            free = elements[number].link
            used &+= 1
            return number
        }
        guard Int(untouched) <= capacity else { return nil }
        let number = untouched
        untouched &+= 1
        used &+= 1
        return number
    }

    /// Takes an element back.
    @inlinable package mutating func release(_ number: UInt32) {
        elements[number].link = free
        free = number
        used &-= 1
    }
}
