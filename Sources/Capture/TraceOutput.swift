internal import Glibc
internal import Synchronization

// # Theory of operation
//
// One file of a trace: a descriptor, and a megabyte in which blocks are put together before write(2) gets them. The
// first failure is kept in the shared `TraceState`; from then on everything is thrown away, so that whoever waits for
// room in the ring goes on.
//
// A trace that ends in an error leaves no half file behind: what was created here is unlinked. A file that was there before, a
// FIFO, a device and standard output stay, with what has been written.
//
// Standard output may be non-blocking, where something else set it so: EAGAIN waits in poll(2).

/// A file that a trace is written to, or one of several.
///
/// Used by the writer's thread alone.
@safe struct TraceOutput: ~Copyable {
    /// The file as the user named it.
    let name: String
    private let path: String
    private let descriptor: Int32
    private let isOurs: Bool
    private let state: TraceState
    private let buffer: UnsafeMutableRawPointer
    private var count = 0

    private static let capacity = 1 << 20

    /// Creates or truncates the file at `path`; `-` is standard output.
    init(path: String, state: TraceState) throws(CaptureError) {
        name = path == "-" ? "standard output" : path
        self.path = path
        self.state = state
        var created = false
        if path == "-" {
            descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
        } else {
            // Safe: a terminated string goes in, here and below.
            let fresh = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            created = fresh >= 0
            descriptor = created || errno != EEXIST ? fresh : unsafe open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw CaptureError(.open, file: name, reason: errorText(errno)) }
        isOurs = created
        unsafe buffer = .allocate(byteCount: Self.capacity, alignment: 64)
    }

    deinit {
        // Safe: the buffer is ours alone.
        unsafe buffer.deallocate()
    }

    /// Gives `body` room for `size` bytes behind what is there; it returns how many it used.
    @inline(__always)
    mutating func append(_ size: Int, _ body: (inout ByteSink) -> Void) {
        guard size <= Self.capacity else { return }
        if size > Self.capacity - count { flush() }
        // Safe: `capacity - count` bytes of the buffer are free, and the sink checks against them.
        var sink = unsafe ByteSink(buffer + count, capacity: Self.capacity - count)
        body(&sink)
        count += sink.count
    }

    /// Writes what is buffered.
    mutating func flush() {
        var done = 0
        while done < count && !state.hasFailed.load(ordering: .relaxed) {
            // Safe: `count` bytes of the buffer are initialised.
            let written = unsafe write(descriptor, buffer + done, count - done)
            if written >= 0 {
                done += written
            } else {
                recover(from: errno)
            }
        }
        count = 0
    }

    private func recover(from code: Int32) {
        switch code {
        case EINTR: break
        case EAGAIN:
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            unsafe poll(&wait, 1, -1)  // Safe: one element is there.
        default: fail(code)
        }
    }

    private func fail(_ code: Int32) {
        let kind: CaptureError.Kind = code == EPIPE ? .closedPipe : .write
        state.fail(CaptureError(kind, file: name, reason: errorText(code)))
    }

    /// Writes the rest and closes the file.
    mutating func close() {
        flush()
        if Glibc.close(descriptor) != 0 && errno != EINTR { fail(errno) }
    }

    /// Removes the file if it was created here; for a trace that failed.
    func remove() {
        if isOurs { unsafe unlink(path) }  // Safe: a terminated string goes in.
    }
}

/// Puts numbers, least significant byte first, and bytes into a piece of memory, and nothing beyond its end.
@safe struct ByteSink {
    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private(set) var count = 0

    /// Safe: the caller guarantees `capacity` bytes at `base` for as long as the sink is used.
    @unsafe
    init(_ base: UnsafeMutableRawPointer, capacity: Int) {
        unsafe self.base = base
        self.capacity = capacity
    }

    @inline(__always)
    mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        precondition(MemoryLayout<Number>.size <= capacity - count)
        // Safe: the size is checked.
        unsafe (base + count).storeBytes(of: number.littleEndian, as: Number.self)
        count += MemoryLayout<Number>.size
    }

    @inline(__always)
    mutating func put(_ bytes: RawSpan) {
        precondition(bytes.byteCount <= capacity - count)
        // Safe: the size is checked.
        unsafe bytes.withUnsafeBytes { from in
            guard let start = from.baseAddress, unsafe !from.isEmpty else { return }
            unsafe (base + count).copyMemory(from: start, byteCount: from.count)
        }
        count += bytes.byteCount
    }

    /// Zeros up to a multiple of four bytes behind `start`.
    @inline(__always)
    mutating func pad(from start: Int) {
        while (count - start) & 3 != 0 { put(UInt8(0)) }
    }

    /// Puts a number in at a place that was kept for it.
    @inline(__always)
    mutating func set(_ number: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count)
        // Safe: the place is checked.
        unsafe (base + offset).storeBytes(of: number.littleEndian, as: UInt32.self)
    }
}
