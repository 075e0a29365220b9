package msgcrypt

import "fmt"

// Code is a return code of the official sample library WXBizMsgCrypt, by which
// WeChat's pages and forum speak of what went wrong. Codes never appear on the wire
// and have nothing to do with the errcode of an API answer: -40001 is not 40001.
type Code int

// The codes, with the library's own names. Three of them cannot occur here: SHA-1,
// the encoding of base64 and the writing of the reply don't fail in Go.
const (
	CodeValidateSignature Code = -40001 // ValidateSignature_Error
	CodeParseXML          Code = -40002 // ParseXml_Error, of message.ParseEnvelope
	CodeComputeSignature  Code = -40003 // ComputeSignature_Error, never
	CodeIllegalAESKey     Code = -40004 // IllegalAesKey
	CodeValidateAppID     Code = -40005 // ValidateAppid_Error
	CodeEncryptAES        Code = -40006 // EncryptAES_Error
	CodeDecryptAES        Code = -40007 // DecryptAES_Error
	CodeIllegalBuffer     Code = -40008 // IllegalBuffer
	CodeEncodeBase64      Code = -40009 // EncodeBase64_Error, never
	CodeDecodeBase64      Code = -40010 // DecodeBase64_Error
	CodeGenReturnXML      Code = -40011 // GenReturnXml_Error, never
)

// String returns the library's own name of the code, empty for one that it doesn't have.
func (c Code) String() string {
	switch c {
	case CodeValidateSignature:
		return "ValidateSignature_Error"
	case CodeParseXML:
		return "ParseXml_Error"
	case CodeComputeSignature:
		return "ComputeSignature_Error"
	case CodeIllegalAESKey:
		return "IllegalAesKey"
	case CodeValidateAppID:
		return "ValidateAppid_Error"
	case CodeEncryptAES:
		return "EncryptAES_Error"
	case CodeDecryptAES:
		return "DecryptAES_Error"
	case CodeIllegalBuffer:
		return "IllegalBuffer"
	case CodeEncodeBase64:
		return "EncodeBase64_Error"
	case CodeDecodeBase64:
		return "DecodeBase64_Error"
	case CodeGenReturnXML:
		return "GenReturnXml_Error"
	default:
		return ""
	}
}

// Error is an error with the code that the official library has for it.
type Error struct {
	Code Code
	// Err says what happened.
	Err error
}

// Error gives the code after the text.
func (e *Error) Error() string {
	return fmt.Sprintf("%v (official code %d %v)", e.Err, int(e.Code), e.Code)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// errorf returns an Error.
func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}
