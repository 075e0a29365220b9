package forward

// Decode lets what reads a backend's answer be fuzzed.
var Decode = decode
