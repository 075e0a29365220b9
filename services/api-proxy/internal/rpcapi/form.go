package rpcapi

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/textproto"
	"path"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
)

// defaultField is how WeChat names the file of a form. Source: 新增临时素材.
const defaultField = "media"

// unknownKind is the content type of bytes that nobody described.
const unknownKind = "application/octet-stream"

// formOf puts a file into a form (multipart/form-data), with the head's further fields behind it, as WeChat's
// documents do. It returns a reader over all of the form, and its content type. The boundary is random: a file
// whose author can foresee it can hold further parts.
func formOf(head *apiproxyv1.UploadHead, file io.Reader) (io.Reader, string, error) {
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition(fieldOf(head), head.GetFileName()))
	header.Set("Content-Type", kindOf(head))
	if _, err := form.CreatePart(header); err != nil {
		return nil, "", fmt.Errorf("begin form: %w", err)
	}
	before := frame.Len()
	for _, name := range slices.Sorted(maps.Keys(head.GetFormFields())) {
		if err := form.WriteField(name, head.GetFormFields()[name]); err != nil {
			return nil, "", fmt.Errorf("write form: %w", err)
		}
	}
	if err := form.Close(); err != nil {
		return nil, "", fmt.Errorf("end form: %w", err)
	}
	whole := frame.Bytes()
	return io.MultiReader(bytes.NewReader(whole[:before]), file, bytes.NewReader(whole[before:])), form.FormDataContentType(), nil
}

func fieldOf(head *apiproxyv1.UploadHead) string {
	if name := head.GetFieldName(); name != "" {
		return name
	}
	return defaultField
}

// kindOf returns the content type of the file: as the head says, otherwise by the ending of its name. The endings
// are those that WeChat takes; the tables of the standard library differ from machine to machine.
func kindOf(head *apiproxyv1.UploadHead) string {
	if kind := head.GetContentType(); kind != "" {
		return kind
	}
	switch strings.ToLower(path.Ext(head.GetFileName())) {
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".bmp":
		return "image/bmp"
	case ".amr":
		return "audio/amr"
	case ".mp3":
		return "audio/mpeg"
	case ".wav":
		return "audio/wav"
	case ".mp4":
		return "video/mp4"
	}
	return unknownKind
}

// checkFormHead refuses what would break out of the header of a part.
func checkFormHead(head *apiproxyv1.UploadHead) error {
	if head.GetFileName() == "" {
		return fault.New(fault.Invalid, "field head.file_name: empty; WeChat tells the kind of a file by its ending, for example photo.jpg")
	}
	if err := checkQuotable("head.file_name", head.GetFileName()); err != nil {
		return err
	}
	if err := checkQuotable("head.field_name", head.GetFieldName()); err != nil {
		return err
	}
	for name := range head.GetFormFields() {
		if name == "" {
			return fault.New(fault.Invalid, "field head.form_fields: a name is empty; WeChat cannot tell what its value is")
		}
		if name == fieldOf(head) {
			return fault.New(fault.Invalid, "field head.form_fields: %.64q is the name of the file's part; take another", name)
		}
		if err := checkQuotable("head.form_fields", name); err != nil {
			return err
		}
	}
	return checkKind(head)
}

// checkKind refuses a content type that would become more than one header.
func checkKind(head *apiproxyv1.UploadHead) error {
	kind := head.GetContentType()
	if kind == "" {
		return nil
	}
	if err := checkQuotable("head.content_type", kind); err != nil {
		return err
	}
	if _, _, err := mime.ParseMediaType(kind); err != nil {
		return fault.New(fault.Invalid, "field head.content_type: %.64q is none; write one like image/jpeg, or leave it empty", kind)
	}
	return nil
}

// checkQuotable refuses what cannot stand between quotes in a header, where line breaks begin another header.
func checkQuotable(field, text string) error {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f || c == '"' || c == '\\' {
			return fault.New(fault.Invalid, "field %s: byte %#02x at position %d; use no quotes, backslashes or control characters", field, c, i)
		}
	}
	return nil
}
