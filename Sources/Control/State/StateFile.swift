internal import Devices
internal import Foundation
internal import Glibc

/// A small file of the state directory, which is read as a whole and written as a whole.
///
/// Theory of operation: a file is written beside it, flushed, and renamed over it, so that there is always a whole one, of
/// before or of after. Whoever reads it trusts nothing, and sets aside what is not whole and valid.
struct StateFile: Sendable {
    /// Where it lies.
    let path: String
    private let directory: String

    init(_ name: String, in directory: String) {
        self.directory = directory
        path = directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    /// Why a file is not used: what is wrong with it.
    struct Damage: Error { var text: String }

    var exists: Bool { FileManager.default.fileExists(atPath: path) }

    /// The contents, decoded, of a file of up to `maximumSize` bytes.
    func read<Value: Decodable>(_ type: Value.Type, maximumSize: Int) throws(Damage) -> Value {
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let data = try handle.read(upToCount: maximumSize + 1) ?? Data()
            if data.count > maximumSize { throw Damage(text: "is larger than \(maximumSize >> 20) MiB") }
            return try JSONDecoder().decode(type, from: data)
        } catch let damage as Damage {
            throw damage
        } catch {
            throw Damage(text: "is damaged or cannot be read")
        }
    }

    /// Gives the file another name, the same for each time, so that only the latest is kept.
    ///
    /// Returns a line that says what was wrong with it, where it is now, and what follows.
    func setAside(_ damage: Damage, consequence: String) -> String {
        let aside = "\(path).damaged"
        // Safe: both strings live as long as the call.
        _ = unsafe Glibc.rename(path, aside)
        return "\(path): \(damage.text); it is now \(aside), and \(consequence)"
    }

    /// Writes other contents, at once as a whole; makes the directory, if there is none.
    func write(_ value: some Encodable) throws(StateError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try replace(with: try encoder.encode(value) + Data("\n".utf8))
        } catch let error as StateError {
            throw error
        } catch {
            throw StateError(description: "\(path): cannot be written: \(error.localizedDescription)")
        }
    }

    private func replace(with data: Data) throws {
        let temporary = "\(path).new"
        func failure(_ step: String) -> StateError {
            StateError(description: "\(temporary): \(step): \(SystemError.text(of: errno))")
        }
        // Safe: here and below the strings live as long as the calls that read them.
        let descriptor = unsafe Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot be opened") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: data)
        guard fsync(descriptor) == 0 else { throw failure("cannot be flushed") }
        try handle.close()
        guard unsafe Glibc.rename(temporary, path) == 0 else { throw failure("cannot be renamed to \(path)") }
        // The name itself lies in the directory, which is flushed by itself.
        let parent = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if parent >= 0 {
            _ = fsync(parent)
            _ = Glibc.close(parent)
        }
    }
}

/// Something of the state directory cannot be used or written.
package struct StateError: Error, Sendable, CustomStringConvertible {
    /// What could not be done, and why.
    package var description: String
}
