/// The forms of names in Kubernetes (apimachinery `pkg/util/validation`), each with the words for what is expected.
enum NameForm {
    /// Lower-case letters, digits and `-`, alphanumeric at both ends, up to 63 characters (RFC 1123).
    ///
    /// Services too may begin with a digit since 1.36 (KEP-5311, RelaxedServiceNameValidation).
    case label
    /// Labels joined by dots, up to 253 characters (RFC 1123): most objects, nodes, external names.
    case subdomain
    /// Up to 15 lower-case letters, digits and single `-`, one letter at least (RFC 6335): names of container ports.
    case portName
    /// An optional subdomain and `/`, then up to 63 of letters, digits, `-`, `_` and `.`: label keys, `appProtocol`.
    case qualified
    /// Empty, or like the last part of a qualified name: label values.
    case labelValue

    /// What a name of this form is, as the end of "is not …".
    var description: String {
        switch self {
        case .label: "a name of up to 63 lower-case letters, digits and '-', alphanumeric at both ends"
        case .subdomain: "a DNS name: labels of lower-case letters, digits and '-', joined by dots"
        case .portName: "a port name: up to 15 lower-case letters, digits and single '-', one letter at least"
        case .qualified: "a qualified name: [prefix/]name of up to 63 letters, digits, '-', '_' and '.'"
        case .labelValue: "a label value: up to 63 letters, digits, '-', '_' and '.', alphanumeric at both ends"
        }
    }

    func accepts(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return switch self {
        case .label: Self.isLabel(bytes[...])
        case .subdomain: Self.isSubdomain(bytes[...])
        case .portName:
            bytes.count <= 15 && Self.isLabel(bytes[...]) && bytes.contains(where: Self.isLetter)
                && !zip(bytes, bytes.dropFirst()).contains { $0 == Self.dash && $1 == Self.dash }
        case .qualified: Self.isQualified(bytes)
        case .labelValue: bytes.isEmpty || Self.isNamePart(bytes[...])
        }
    }

    private static let dash = UInt8(ascii: "-")
    private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte }
    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
    private static func isLower(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) }
    private static func isAny(_ byte: UInt8) -> Bool { isLower(byte) || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte }

    private static func isLabel(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 63 else { return false }
        return isLower(first) && isLower(last) && bytes.allSatisfy { isLower($0) || $0 == dash }
    }

    private static func isSubdomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard !bytes.isEmpty, bytes.count <= 253 else { return false }
        // Unlike a label, the parts of a subdomain have no limit of their own.
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.first, let last = part.last else { return false }
            return isLower(first) && isLower(last) && part.allSatisfy { isLower($0) || $0 == dash }
        }
    }

    private static func isNamePart(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 63 else { return false }
        return isAny(first) && isAny(last) && bytes.allSatisfy { isAny($0) || "-_.".utf8.contains($0) }
    }

    private static func isQualified(_ bytes: [UInt8]) -> Bool {
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return switch parts.count {
        case 1: isNamePart(parts[0])
        case 2: isSubdomain(parts[0]) && isNamePart(parts[1])
        default: false
        }
    }
}
