/// A fixed number of plain values in a region, read and changed in place.
///
/// Every access is bounds-checked; nothing is copied, counted or allocated. Elements begin as all zero bits, which
/// must be a valid value of `Element`.
@safe public struct FixedArray<Element: BitwiseCopyable>: ~Copyable {
    // Safe: `base` points into `region`, which this value owns, and has room for `count` elements.
    /// The first element.
    public let base: UnsafeMutablePointer<Element>
    /// The number of elements.
    public let count: Int
    private let region: Region

    /// Room for `count` elements, all bits zero.
    public init(count: Int) {
        let region = Region(byteCount: count * MemoryLayout<Element>.stride)
        // Safe: the region is zero-filled, aligned to a cache line, and all-zero bits are a value of Element by contract.
        unsafe base = region.base.bindMemory(to: Element.self, capacity: count)
        self.count = count
        self.region = region
    }

    /// Room for `count` elements in a region, from a byte on; what is there already is taken for elements.
    ///
    /// Traps where the region is too small, or the place is not aligned. Whoever hands over a region vouches for what it holds.
    public init(count: Int, in region: consuming Region, from offset: Int) {
        precondition(count >= 0 && offset >= 0 && offset % MemoryLayout<Element>.alignment == 0)
        precondition(offset + count * MemoryLayout<Element>.stride <= region.byteCount)
        // Safe: the region is large enough and aligned, by the lines above.
        unsafe base = (region.base + offset).bindMemory(to: Element.self, capacity: count)
        self.count = count
        self.region = region
    }

    /// The element at `index`, in place.
    ///
    /// Traps outside `0..<count`.
    @inlinable public subscript(index: Int) -> Element {
        unsafeAddress {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            return unsafe UnsafePointer(base + index)
        }
        unsafeMutableAddress {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
            return unsafe base + index
        }
    }

    /// The element with a 32-bit number, as tables refer to each other's elements.
    ///
    /// Traps outside `0..<count`.
    @inlinable public subscript(number: UInt32) -> Element {
        unsafeAddress {
            precondition(Int(number) < count)
            return unsafe UnsafePointer(base + Int(number))
        }
        unsafeMutableAddress {
            precondition(Int(number) < count)
            return unsafe base + Int(number)
        }
    }

    /// The address of the element with a 32-bit number, for elements that several threads share by a lock of their own.
    ///
    /// Traps outside `0..<count`.
    @inlinable public func address(of number: UInt32) -> UnsafeMutablePointer<Element> {
        precondition(Int(number) < count)
        return unsafe base + Int(number)
    }

    /// Asks the processor to load the cache lines of the element at `index`, two at most; harmless for any index.
    @inlinable public func prefetch(_ index: Int) {
        guard UInt(bitPattern: index) < UInt(bitPattern: count) else { return }
        unsafe Prefetch.line(base + index)
        if MemoryLayout<Element>.stride > Prefetch.lineLength {
            unsafe Prefetch.line(UnsafeRawPointer(base + index) + Prefetch.lineLength)
        }
    }

    /// The size of the array in bytes.
    public var byteCount: Int { count * MemoryLayout<Element>.stride }
}

// Safe: the elements are plain values with one owner.
extension FixedArray: @unchecked Sendable {}
