// # Theory of operation
//
// The readers of both formats look at a capture through a window: a piece of memory that is filled by large reads, in which
// records are parsed where they lie. What is passed over leaves at the front; the rest moves there when more is needed, less
// than one record each time. 256 KiB stay in the nearest caches between the kernel's copy and the parser. The window grows
// for a longer record, and only as fast as the file gives bytes: a length that lies costs nothing.

/// The bytes of a capture that were read and not yet passed over.
@safe struct CaptureWindow: ~Copyable {
    private let input: CaptureInput
    // Safe: has `capacity` bytes, of which those below `end` are initialised, and is this value's alone.
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    /// Where in `bytes` the next record begins.
    private(set) var start = 0
    private var end = 0

    private static let initialCapacity = 1 << 18

    /// A window at the beginning of `input`; takes memory with the first byte.
    init(_ input: CaptureInput) {
        self.input = input
        unsafe memory = nil
    }

    deinit {
        if let memory = unsafe memory { unsafe memory.deallocate() }  // Safe: nobody else has it.
    }

    /// The file as the user named it.
    var name: String { input.name }

    /// How many bytes from `start` on are there.
    var available: Int { end - start }

    /// All bytes in the window; those before `start` mean nothing.
    var bytes: RawSpan {
        @_lifetime(borrow self) @inline(__always) get {
            guard let memory = unsafe memory else { return RawSpan() }
            // Safe: bytes below `end` are initialised, and change only through `mutating` methods.
            return unsafe _overrideLifetime(RawSpan(_unsafeStart: memory, byteCount: end), borrowing: self)
        }
    }

    /// Passes over `count` bytes, which are there.
    @inline(__always)
    mutating func skip(_ count: Int) {
        precondition(count >= 0 && count <= end - start)
        start += count
    }

    /// Makes sure that `count` bytes from `start` on are there, which it may move; false if the file ends before.
    @inline(__always)
    mutating func fill(_ count: Int) throws(CaptureError) -> Bool {
        if end - start >= count { return true }
        return try fillSlowly(count)
    }

    @inline(never)
    private mutating func fillSlowly(_ count: Int) throws(CaptureError) -> Bool {
        if start > 0, let memory = unsafe memory {
            // Safe: both ranges are inside of the memory; they may overlap.
            unsafe memory.copyMemory(from: memory + start, byteCount: end - start)
            (start, end) = (0, end - start)
        }
        while end < count {
            if end == capacity { grow() }
            guard let memory = unsafe memory else { return false }
            // Safe: `capacity - end` bytes are there behind `end`.
            let got = unsafe try input.read(
                into: UnsafeMutableRawBufferPointer(start: memory + end, count: capacity - end)
            )
            if got == 0 { return false }
            end += got
        }
        return true
    }

    private mutating func grow() {
        let size = max(2 * capacity, min(input.readSize, Self.initialCapacity))
        let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        if let memory = unsafe memory {
            // Safe: `end` bytes are initialised, and fit; nobody keeps a pointer into the old memory.
            unsafe larger.copyMemory(from: memory, byteCount: end)
            unsafe memory.deallocate()
        }
        unsafe memory = larger
        capacity = size
    }
}
