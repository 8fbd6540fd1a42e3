internal import Glibc
internal import Synchronization

// # Theory of operation
//
// One file of a trace: a descriptor, a megabyte in which blocks are put together, and a list of what writev(2) gets next:
// parts of that megabyte, and parts of a ring, which lie where the worker has put them. The first failure is kept in
// the shared `TraceState`; from then on everything is thrown away, so that whoever waits for room in the ring goes on.
//
// A trace that ends in an error leaves no half file behind: what was created here is unlinked. Where the trace keeps what is
// unfinished, the file is cut behind what the last whole `flush` has written, which ends with a block. A file that was there
// before, a FIFO, a device and standard output stay, with what has been written.
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
    /// How many bytes of the file are of flushes that have succeeded.
    private var wholeByteCount = 0
    // Safe: has room for `pieceLimit` elements, of which `pieceCount` are in use; each refers to `buffer`, or to memory whose owner
    // leaves it alone until `flush`.
    private let pieces: UnsafeMutablePointer<iovec>
    private var pieceCount = 0

    private static let capacity = 1 << 20
    private static let pieceLimit = 64

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
        unsafe pieces = .allocate(capacity: Self.pieceLimit)
    }

    deinit {
        // Safe: both are ours alone.
        unsafe buffer.deallocate()
        unsafe pieces.deallocate()
    }

    /// Gives `body` room for `size` bytes behind what is there; it puts in what it needs.
    @inline(__always)
    mutating func append(_ size: Int, _ body: (inout ByteSink) -> Void) {
        guard size <= Self.capacity else { return }
        if size > Self.capacity - count { flush() }
        // Safe: `capacity - count` bytes of the buffer are free, and the sink checks against them.
        let start = unsafe buffer + count
        var sink = unsafe ByteSink(start, capacity: Self.capacity - count)
        body(&sink)
        count += sink.count
        unsafe add(start, sink.count)
    }

    /// Appends bytes that are not copied.
    ///
    /// Safe: they must stay as they are until `flush` has returned.
    @unsafe
    mutating func refer(to bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe add(UnsafeMutableRawPointer(mutating: start), bytes.count)
        }
    }

    /// Puts a piece behind the last one, or makes that longer.
    @unsafe @inline(__always)
    private mutating func add(_ start: UnsafeMutableRawPointer, _ count: Int) {
        guard count > 0 else { return }
        if pieceCount > 0 {
            let last = unsafe pieces[pieceCount - 1]
            if unsafe last.iov_base + last.iov_len == start {
                unsafe pieces[pieceCount - 1] = iovec(iov_base: last.iov_base, iov_len: last.iov_len + count)
                return
            }
        }
        unsafe (pieces + pieceCount).initialize(to: iovec(iov_base: start, iov_len: count))
        pieceCount += 1
        if pieceCount == Self.pieceLimit { flush() }
    }

    /// Writes all that was appended.
    mutating func flush() {
        var first = 0
        var total = 0
        while first < pieceCount && !state.hasFailed.load(ordering: .relaxed) {
            // Safe: the pieces in use are initialised, and so are the bytes they refer to.
            var written = unsafe writev(descriptor, pieces + first, Int32(pieceCount - first))
            if written < 0 { recover(from: errno) }
            total += max(written, 0)
            while written > 0 {
                let taken = unsafe min(written, pieces[first].iov_len)
                // Whole elements, here and in `add`: with ThreadSanitizer the compiler (6.3.1) fails at fields changed in place.
                let rest = unsafe iovec(
                    iov_base: pieces[first].iov_base + taken,
                    iov_len: pieces[first].iov_len - taken
                )
                unsafe pieces[first] = rest
                written -= taken
                if unsafe pieces[first].iov_len == 0 { first += 1 }
            }
        }
        if first == pieceCount { wholeByteCount += total }
        pieceCount = 0
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

    /// Cuts off what a flush that failed has left behind the last whole block; for a trace that failed, before it is closed.
    ///
    /// A file without any whole block is removed if it was created here.
    func cut() {
        guard wholeByteCount > 0 else { return remove() }
        // What is written to standard output may stand behind something else, and no FIFO or device can be cut.
        if path != "-" { ftruncate(descriptor, wholeByteCount) }
    }

    /// Removes the file if it was created here; for a trace that failed.
    func remove() {
        if isOurs { unsafe unlink(path) }  // Safe: a terminated string goes in.
    }
}
