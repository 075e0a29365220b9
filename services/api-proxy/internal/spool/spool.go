// Package spool keeps the body of a call so that it can be sent a second time: short ones in memory,
// long ones in a file that has no name any more.
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// MaxMemory is how much of one body stays in memory. JSON calls are far shorter.
	MaxMemory = 1 << 20
	// MaxBytes is the longest body. WeChat's greatest upload is a video of 10 MB; its older limit was 20 MB.
	MaxBytes = 32 << 20
)

// ErrTooLarge says that a body is longer than MaxBytes.
var ErrTooLarge = errors.New("body is longer than 32 MiB")

// Body is a body that can be read any number of times. Close it when no reader is in use any more.
type Body struct {
	memory []byte
	file   *os.File // nil while the body is in memory
	size   int64
}

// Bytes makes a Body of what is in memory already.
func Bytes(data []byte) *Body { return &Body{memory: data, size: int64(len(data))} }

// Read reads r to its end. What does not fit into memory goes to a file in dir; empty means the
// system's folder for temporary files. Too long a body gives ErrTooLarge; a failure of the file says
// so; any other error is r's own.
func Read(r io.Reader, dir string) (*Body, error) {
	var head bytes.Buffer
	n, err := io.CopyN(&head, r, MaxMemory+1)
	if errors.Is(err, io.EOF) {
		return Bytes(head.Bytes()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	file, err := nameless(dir)
	if err != nil {
		return nil, err
	}
	b := &Body{file: file}
	rest := io.LimitReader(r, MaxBytes+1-n)
	b.size, err = io.Copy(file, io.MultiReader(&head, rest))
	switch {
	case err != nil:
		err = fmt.Errorf("keep body: %w", err)
	case b.size > MaxBytes:
		err = ErrTooLarge
	default:
		return b, nil
	}
	return nil, errors.Join(err, b.Close())
}

// nameless creates a file and removes its name at once, so that not even a crash leaves a body behind.
func nameless(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "api-proxy-body-*")
	if err != nil {
		return nil, &FileError{cause: err}
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(&FileError{cause: err}, file.Close())
	}
	return file, nil
}

// FileError says that the folder for long bodies cannot be used.
type FileError struct{ cause error }

// Error names the remedy.
func (e *FileError) Error() string {
	return "keep a long body in a file: " + e.cause.Error() + "; API_PROXY_SPOOL_DIR names a writable folder"
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.cause }

// Size returns the number of bytes.
func (b *Body) Size() int64 { return b.size }

// Reader returns a new reader at the beginning. Readers do not disturb each other.
func (b *Body) Reader() io.Reader {
	if b.file == nil {
		return bytes.NewReader(b.memory)
	}
	return io.NewSectionReader(b.file, 0, b.size)
}

// Close gives the file back.
func (b *Body) Close() error {
	if b.file == nil {
		return nil
	}
	if err := b.file.Close(); err != nil {
		return fmt.Errorf("close body file: %w", err)
	}
	return nil
}
