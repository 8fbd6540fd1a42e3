internal import Datapath
internal import Devices
internal import Glibc
internal import Tables

/// A file that a map lives in: one page that says what it is, then the records.
///
/// Theory of operation: a daemon never goes on with the file of another one. It makes a new file under another name, takes
/// over what is good of the old one, and renames the new one over it before the first packet; so at each moment there is one
/// whole file, also for whoever comes after a daemon that was killed while it did this. All memory of a
/// file is there from the start: on a full file system making it fails, and not a packet later.
struct MapFile {
    /// Which map it is; the raw value stands in the file.
    enum Kind: UInt32, CaseIterable {
        case conntrack = 1
        case affinity = 2

        var fileName: String { self == .conntrack ? "conntrack.map" : "affinity.map" }

        var recordSize: Int { self == .conntrack ? PinnedMaps.flowSize : PinnedMaps.affinitySize }

        func byteCount(conntrackCapacity: Int) -> Int {
            self == .conntrack
                ? PinnedMaps.conntrackByteCount(capacity: conntrackCapacity) : PinnedMaps.affinityByteCount
        }
    }

    let kind: Kind
    let path: String
    private let bootID: String

    init(_ kind: Kind, in directory: StateDirectory) {
        self.kind = kind
        path = "\(directory.path)/\(kind.fileName)"
        bootID = directory.bootID
    }

    /// Where a new file is made.
    private var newPath: String { path + ".new" }

    // MARK: The first page

    /// Fields in the byte order of the machine, which the mark tells.
    private enum Field {
        static let magic = 0
        static let mark = 8
        static let layout = 12
        static let kind = 16
        static let recordSize = 20
        static let byteCount = 24
        static let bootID = 32
        static let bootIDLength = 36
        static let check = 72
    }

    private static let magic: UInt64 = 0x00_70_61_6d_74_76_6c_63  // "clvtmap", little-endian
    private static let mark: UInt32 = 0x0102_0304

    /// FNV-1a over the fields before it: a page that was damaged by accident is not taken for whole.
    private static func check(of page: RawSpan) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for offset in 0..<Field.check { hash = (hash ^ UInt64(byte(page, offset))) &* 0x100_0000_01b3 }
        return hash
    }

    // Safe: every bit pattern is a value of these; offsets are those of `Field`, and a region has a page at least.
    private static func byte(_ page: RawSpan, _ offset: Int) -> UInt8 {
        unsafe page.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
    private static func word(_ page: RawSpan, _ offset: Int) -> UInt32 {
        unsafe page.unsafeLoad(fromByteOffset: offset, as: UInt32.self)
    }
    private static func long(_ page: RawSpan, _ offset: Int) -> UInt64 {
        unsafe page.unsafeLoad(fromByteOffset: offset, as: UInt64.self)
    }

    private func describe(_ region: inout Region) {
        let byteCount = UInt64(region.byteCount)
        var page = region.mutableBytes
        page.storeBytes(of: Self.magic, toByteOffset: Field.magic, as: UInt64.self)
        page.storeBytes(of: Self.mark, toByteOffset: Field.mark, as: UInt32.self)
        page.storeBytes(of: PinnedMaps.layout, toByteOffset: Field.layout, as: UInt32.self)
        page.storeBytes(of: kind.rawValue, toByteOffset: Field.kind, as: UInt32.self)
        page.storeBytes(of: UInt32(kind.recordSize), toByteOffset: Field.recordSize, as: UInt32.self)
        page.storeBytes(of: byteCount, toByteOffset: Field.byteCount, as: UInt64.self)
        for (index, byte) in bootID.utf8.prefix(Field.bootIDLength).enumerated() {
            page.storeBytes(of: byte, toByteOffset: Field.bootID + index, as: UInt8.self)
        }
        let check = Self.check(of: page.bytes)
        page.storeBytes(of: check, toByteOffset: Field.check, as: UInt64.self)
    }

    /// What is wrong with a file; nil if nothing is.
    private func fault(_ file: borrowing Region) -> String? {
        let page = file.bytes
        if Self.long(page, Field.magic) != Self.magic || Self.word(page, Field.mark) != Self.mark {
            return "is no map of Culvert"
        }
        if Self.word(page, Field.layout) != PinnedMaps.layout {
            return "is of layout \(Self.word(page, Field.layout)), not \(PinnedMaps.layout)"
        }
        if Self.long(page, Field.check) != Self.check(of: page) { return "is damaged" }
        if Self.word(page, Field.kind) != kind.rawValue || Self.word(page, Field.recordSize) != kind.recordSize {
            return "is another map"
        }
        if Self.long(page, Field.byteCount) != file.byteCount { return "was cut, or has grown" }
        var length = 0
        var isSame = true
        for (index, expected) in bootID.utf8.prefix(Field.bootIDLength).enumerated() {
            length = index + 1
            if Self.byte(page, Field.bootID + index) != expected { isSame = false }
        }
        if !isSame || length == 0 { return "is of another boot of the machine" }
        return nil
    }

    // MARK: Files

    /// What an earlier daemon left.
    enum Found: ~Copyable {
        /// There was no file.
        case nothing
        /// It cannot be used.
        case unusable(String)
        /// The records may be looked at; writing there does not change the file.
        case records(Region)
    }

    /// Looks for the file of an earlier daemon.
    func find() -> Found {
        // Safe: the path lives for the call.
        let number = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard number >= 0 else {
            return errno == ENOENT ? .nothing : .unusable("cannot be opened: \(SystemError.text(of: errno))")
        }
        let file = Descriptor(owning: number)
        var status = stat()
        // Safe: the kernel writes one `stat`.
        guard unsafe fstat(file.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return .unusable("is no file")
        }
        let byteCount = Int(status.st_size)
        guard byteCount >= PinnedMaps.recordOffset else { return .unusable("is too short") }
        guard let region = Region(descriptor: file.number, byteCount: byteCount, isPrivate: true) else {
            return .unusable("cannot be mapped: \(SystemError.text(of: errno))")
        }
        if let fault = fault(region) { return .unusable(fault) }
        return .records(region)
    }

    /// Gives an unusable file another name; returns a line about it.
    func setAside(_ fault: String) -> String {
        let aside = "\(path).unusable"
        // Safe: both strings live for the call.
        _ = unsafe Glibc.rename(path, aside)
        return "\(path): \(fault); it is now \(aside), and nothing of it is used"
    }

    /// A new file, under another name until `commit`.
    func create(conntrackCapacity: Int) throws(StateError) -> Region {
        let byteCount = kind.byteCount(conntrackCapacity: conntrackCapacity)
        func failure(_ step: String, _ code: Int32) -> StateError {
            StateError(description: "\(newPath): \(step): \(SystemError.text(of: code))")
        }
        // Safe: the path lives for the calls.
        unsafe unlink(newPath)
        let number = unsafe Glibc.open(newPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number >= 0 else { throw failure("cannot be made", errno) }
        let file = Descriptor(owning: number)
        let code = posix_fallocate(file.number, 0, off_t(byteCount))
        guard code == 0 else {
            unsafe unlink(newPath)
            throw failure("has no room for \(byteCount >> 20) MiB", code)
        }
        guard var region = Region(descriptor: file.number, byteCount: byteCount) else {
            let code = errno
            unsafe unlink(newPath)
            throw failure("cannot be mapped", code)
        }
        describe(&region)
        return region
    }

    /// Puts the new file in the place of the old one.
    func commit() throws(StateError) {
        // Safe: both strings live for the call.
        guard unsafe Glibc.rename(newPath, path) == 0 else {
            throw StateError(description: "\(newPath): cannot be renamed: \(SystemError.text(of: errno))")
        }
    }
}
