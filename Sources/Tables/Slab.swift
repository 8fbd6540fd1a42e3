/// An element of a slab: it has a place for the link of the free list, unused while the element is.
public protocol SlabElement: BitwiseCopyable {
    /// The number of the next free element, 0 at the end of the list; the element's own while it is in use.
    var link: UInt32 { get set }
}

/// A fixed number of elements, handed out and taken back by number.
///
/// Theory of operation: numbers that were never used are handed out in order, so that memory is touched only as far as
/// it is needed; freed ones are kept in a list through their `link` and go out again first, the latest one first.
/// Number 0 is never handed out: it stands for "none" everywhere.
public struct Slab<Element: SlabElement>: ~Copyable {
    /// All elements, those in use and the others; number 0 is the one that is never handed out.
    public var elements: FixedArray<Element>
    /// The first element of the free list, 0 when it is empty.
    public var free: UInt32 = 0
    /// The first number that was never handed out.
    public var untouched: UInt32 = 1
    /// How many elements are in use.
    public var used = 0
    /// How many elements can be in use.
    public let capacity: Int

    /// Room for `capacity` elements.
    public init(capacity: Int) {
        self.capacity = capacity
        elements = FixedArray(count: capacity + 1)
    }

    /// Room for `capacity` elements in a region of zeros, from a byte on; `byteCount(capacity:)` says how much they take.
    public init(capacity: Int, in region: consuming Region, from offset: Int) {
        self.capacity = capacity
        elements = FixedArray(count: capacity + 1, in: region, from: offset)
    }

    /// The memory for `capacity` elements and the one that is never handed out, in bytes.
    public static func byteCount(capacity: Int) -> Int { (capacity + 1) * MemoryLayout<Element>.stride }

    /// How many elements are in use.
    @inlinable public var count: Int { used }
    /// The size of a full slab in bytes.
    public var byteCount: Int { elements.byteCount }

    /// One past the largest number that was ever handed out: what a walk over all elements has to visit.
    @inlinable public var highWater: UInt32 { untouched }

    /// The element with a number, in place.
    ///
    /// Traps outside of the slab.
    @inlinable public subscript(number: UInt32) -> Element {
        _read { yield elements[number] }
        _modify { yield &elements[number] }
    }

    /// The address of an element; see `FixedArray.address(of:)`.
    @inlinable public func address(of number: UInt32) -> UnsafeMutablePointer<Element> {
        unsafe elements.address(of: number)
    }

    /// Asks the processor to load the first cache line of an element; harmless for any number.
    @inlinable public func prefetch(_ number: UInt32) { elements.prefetch(Int(number)) }

    /// A free element's number, its contents whatever they were; nil when all are in use.
    @inlinable public mutating func allocate() -> UInt32? {
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

    /// Takes an element back, which must be in use; its contents stay but for `link`.
    @inlinable public mutating func release(_ number: UInt32) {
        elements[number].link = free
        free = number
        used &-= 1
    }
}
