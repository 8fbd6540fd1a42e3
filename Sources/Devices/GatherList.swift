internal import Glibc

/// The parts of a frame that lie apart, for one write (writev(2)).
@safe package struct GatherList: ~Copyable {
    // Safe: owned, with room for `capacity` elements, of which the first `count` are initialized.
    fileprivate let parts: UnsafeMutablePointer<iovec>
    private let capacity: Int
    /// How many parts there are.
    package private(set) var count = 0

    /// An empty list for up to `capacity` parts.
    package init(capacity: Int) {
        self.capacity = max(capacity, 1)
        unsafe parts = UnsafeMutablePointer<iovec>.allocate(capacity: self.capacity)
    }

    // Safe: allocated by `init`, and elements of this type need no deinitialization.
    deinit { unsafe parts.deallocate() }

    /// Forgets all parts.
    package mutating func clear() { count = 0 }

    /// Adds a part, whose bytes must stay where they are until the list was written or cleared.
    ///
    /// Traps when the list is full.
    @unsafe package mutating func append(_ bytes: RawSpan) {
        precondition(count < capacity, "the list of parts is full")
        unsafe bytes.withUnsafeBytes { part in
            // What is written is only read.
            let base = unsafe UnsafeMutableRawPointer(mutating: part.baseAddress)
            unsafe (parts + count).initialize(to: iovec(iov_base: base, iov_len: part.count))
        }
        count += 1
    }
}

extension TunQueue {
    /// Writes one frame that lies in parts; see `Device.write`.
    package func write(_ parts: borrowing GatherList) throws(SystemError) -> WriteResult {
        let number = descriptor.number
        // Safe: the list has that many parts, whose bytes are there: see `GatherList.append`.
        let result = uninterrupted { unsafe writev(number, parts.parts, Int32(parts.count)) }
        return try writeResult(result)
    }
}
