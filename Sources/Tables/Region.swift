internal import Glibc

/// A zero-filled block of memory that a table lives in, aligned to a cache line.
///
/// Theory of operation: all large tables are made of plain numbers, without pointers, so that the block may as well be
/// a mapped file, which outlives the process. Anonymous blocks ask for huge pages: a lookup in a table of a million flows is bound by misses of
/// the TLB otherwise. The kernel hands out pages as they are touched, so a large capacity costs nothing until used.
/// Small blocks come from the heap: to map each of them takes longer than all that a short-lived table is made for, and
/// AddressSanitizer sees who writes beyond their end.
@safe public struct Region: ~Copyable {
    // Safe: the block is owned by this value alone, and given back exactly once, in deinit, to where it came from.
    /// The first byte.
    public let base: UnsafeMutableRawPointer
    /// The size in bytes.
    public let byteCount: Int
    private let isMapped: Bool

    /// Up to which size a block comes from the heap, in bytes.
    private static var heapLimit: Int { 1 << 15 }
    private static var cacheLine: Int { 64 }

    /// Maps anonymous memory, without huge pages when only a little of it will be touched (`isSparse`).
    ///
    /// Running out of address space is a fatal error, as it is for every allocation in Swift.
    public init(byteCount: Int, isSparse: Bool = false) {
        let size = max(byteCount, 1)
        self.byteCount = size
        isMapped = size > Self.heapLimit
        guard isMapped else {
            // Safe: every byte is written before the block is anybody's.
            unsafe base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Self.cacheLine)
            unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            return
        }
        guard
            let mapped = unsafe mmap(
                nil,
                size,
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1,
                0
            ),
            unsafe mapped != MAP_FAILED
        else { preconditionFailure("cannot map \(size) bytes for a table") }
        if size >= 1 << 21 && !isSparse { _ = unsafe madvise(mapped, size, MADV_HUGEPAGE) }
        unsafe base = mapped
    }

    /// Maps an open file: what is written here is in the file at once, however the process ends.
    ///
    /// The descriptor may be closed afterwards. A private region leaves the file as it is. Nil with `errno` set when the
    /// file cannot be mapped. The file must be at least `byteCount` bytes long and stay so: the kernel ends a process that touches what
    /// lies beyond the end.
    public init?(descriptor: Int32, byteCount: Int, isPrivate: Bool = false) {
        guard byteCount > 0,
            let mapped = unsafe mmap(
                nil,
                byteCount,
                PROT_READ | PROT_WRITE,
                isPrivate ? MAP_PRIVATE : MAP_SHARED,
                descriptor,
                0
            ),
            unsafe mapped != MAP_FAILED
        else { return nil }
        unsafe base = mapped
        self.byteCount = byteCount
        isMapped = true
    }

    /// The bytes, to be looked at.
    public var bytes: RawSpan {
        @_lifetime(borrow self) get {
            // Safe: the region has that many bytes, and they live as long as it does.
            unsafe _overrideLifetime(RawSpan(_unsafeStart: base, byteCount: byteCount), borrowing: self)
        }
    }

    /// The bytes, to be written.
    public var mutableBytes: MutableRawSpan {
        @_lifetime(&self) mutating get {
            // Safe: as in `bytes`.
            unsafe _overrideLifetime(MutableRawSpan(_unsafeStart: base, byteCount: byteCount), mutating: &self)
        }
    }

    deinit {
        if isMapped { _ = unsafe munmap(base, byteCount) } else { unsafe base.deallocate() }
    }
}

// Safe: a region is plain memory with one owner; moving it to another thread moves the ownership.
extension Region: @unchecked Sendable {}
