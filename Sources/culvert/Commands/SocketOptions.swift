internal import ArgumentParser
internal import Control
internal import Devices
internal import Foundation
internal import Glibc

/// The options of every command that asks a running daemon.
struct SocketOptions: ParsableArguments {
    @Option(
        help: "The control socket of the daemon; CULVERT_SOCKET names it otherwise.",
        completion: .file()
    )
    var socket: String?

    @Flag(name: [.customShort("q"), .long], help: "Print nothing but errors.")
    var quiet = false

    /// Where the daemon is looked for.
    var path: String {
        let environment = ProcessInfo.processInfo.environment["CULVERT_SOCKET"] ?? ""
        return socket ?? (environment.isEmpty ? Configuration.defaultSocket : environment)
    }

    /// Sends a request, and hands the body of the answer to `use`.
    func request(_ method: String, _ target: String, _ query: Query = Query(), use: ([UInt8]) throws -> Void)
        async throws
    {
        do {
            try await ControlClient(path: path).request(method, target, query, use: use)
        } catch let error as ControlClientError {
            throw failure(error)
        }
    }

    /// Asks for a document.
    func document(_ method: String, _ target: String, _ query: Query = Query()) async throws -> JSONValue {
        var bytes: [UInt8] = []
        try await request(method, target, query) { bytes += $0 }
        guard let document = JSONParser.parse(bytes) else { throw damaged }
        return document
    }

    /// Asks for a list: its items, each as it was written.
    func items(_ target: String, _ query: Query = Query()) async throws -> [[UInt8]] {
        var reader = ItemReader()
        try await request("GET", target, query) { reader.read($0) }
        guard reader.isComplete && !reader.isDamaged else { throw damaged }
        return reader.items
    }

    private var damaged: Failure { .failed("\(path): the answer is not a daemon's") }

    private func failure(_ error: ControlClientError) -> Failure {
        switch error {
        case .unreachable(let code):
            let reason = code == 0 ? "" : ": \(SystemError.text(of: code))"
            let hint =
                code == EACCES
                ? "only root and the user of the daemon may ask it"
                : "is `culvert run` running? --socket or CULVERT_SOCKET names another socket"
            return Failure(lines: ["\(path): the daemon cannot be reached\(reason)"], hint: hint, code: 3)
        case .brokenOff: return .failed("\(path): the answer broke off: the daemon has ended, or does not answer")
        case .refused(let status, let message):
            let code: Int32 = status == 503 || status == 403 ? 3 : (400..<500).contains(status) ? 2 : 1
            return Failure(lines: [message], hint: nil, code: code)
        }
    }
}
