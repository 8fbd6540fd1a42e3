internal import Glibc

/// A page-aligned, zero-filled block of memory that a table lives in.
///
/// Theory of operation: all large tables are made of plain numbers, without pointers, so that the block may as well be
/// a mapped file. Anonymous blocks ask for huge pages: a lookup in a table of a million flows is bound by misses of
/// the TLB otherwise. The kernel hands out pages as they are touched, so a large capacity costs nothing until used.
@safe public struct Region: ~Copyable {
    // Safe: the block is owned by this value alone, and unmapped exactly once, in deinit.
    /// The first byte.
    public let base: UnsafeMutableRawPointer
    /// The size in bytes.
    public let byteCount: Int

    /// Maps anonymous memory, without huge pages when only a little of it will be touched (`isSparse`).
    ///
    /// Running out of address space is a fatal error, as it is for every allocation in Swift.
    public init(byteCount: Int, isSparse: Bool = false) {
        let size = max(byteCount, 1)
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
        self.byteCount = size
    }

    deinit { _ = unsafe munmap(base, byteCount) }
}

// Safe: a region is plain memory with one owner; moving it to another thread moves the ownership.
extension Region: @unchecked Sendable {}
