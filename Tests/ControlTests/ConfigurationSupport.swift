import Control
import Foundation
import Testing

/// Reads a configuration from text, as the file `culvert.yaml`.
func configuration(_ text: String, environment: [String: String] = [:]) throws -> Configuration {
    try ConfigurationReader.read(name: "culvert.yaml", bytes: Array(text.utf8), environment: environment)
}

/// The faults of a configuration, without the file's name, which each must begin with; none when it is good.
func faults(_ text: String, environment: [String: String] = [:]) -> [String] {
    faults(Array(text.utf8), environment: environment)
}

/// The faults of a configuration given as bytes.
func faults(_ bytes: [UInt8], environment: [String: String] = [:]) -> [String] {
    do {
        _ = try ConfigurationReader.read(name: "culvert.yaml", bytes: bytes, environment: environment)
        return []
    } catch {
        return error.faults.map { fault in
            fault.hasPrefix("culvert.yaml: ") ? String(fault.dropFirst(14)) : "without the file's name: \(fault)"
        }
    }
}

/// The faults of a configuration that has a node's name and some more lines.
func faults(with lines: String) -> [String] { faults("node: {name: node-a}\n\(lines)") }

/// The faults of a configuration with one interface, given as the inside of a flow mapping.
func faults(ofInterface settings: String) -> [String] { faults(with: "interfaces: [{\(settings)}]") }

/// A text and the faults it must have.
struct FaultCase: Sendable, CustomTestStringConvertible {
    let text: String
    let faults: [String]
    var testDescription: String { text }

    init(_ text: String, _ faults: String...) {
        self.text = text
        self.faults = faults
    }
}
