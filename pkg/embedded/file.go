package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// openFile opens the file, creating it if there is none. An empty or damaged
// file is an error, never a new store and never a panic. bbolt panics in its
// own goroutine on a damaged page when it opens a file for writing, so openFile
// first reads the whole file.
func openFile(path string) (*bbolt.DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("open data file: %w", err)
	case info.Size() == 0:
		return nil, fmt.Errorf("%s is empty; restore a backup, or remove it to start with an empty store", path)
	default:
		if err := verify(path); err != nil {
			return nil, opening(path, err)
		}
	}
	file, err := openBolt(path, &bbolt.Options{Timeout: lockWait, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	return file, opening(path, err)
}

var errDamaged = errors.New("damaged")

func opening(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bbolterrors.ErrTimeout):
		return fmt.Errorf("%s is in use by another process", path)
	case errors.Is(err, errDamaged), errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum),
		errors.Is(err, bbolterrors.ErrVersionMismatch):
		return fmt.Errorf("%s cannot be read: %w; restore a backup, or remove it to start with an empty store", path, err)
	}
	return fmt.Errorf("open data file: %w", err)
}

// openBolt opens a file and turns panics on bad pages into errDamaged.
func openBolt(path string, o *bbolt.Options) (file *bbolt.DB, err error) {
	defer damaged(&err)()
	return bbolt.Open(path, 0o600, o)
}

// damaged turns a panic into an error, including one caused by reading a page
// beyond the end of the file. The function that reads must call it and defer
// the result.
func damaged(err *error) (end func()) {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if cause := recover(); cause != nil {
			*err = fmt.Errorf("%w: %v", errDamaged, cause)
		}
	}
}

// verify reads every page of a file in use. It touches no more than bbolt does
// when it opens a file without a stored free list.
func verify(path string) (err error) {
	defer damaged(&err)()
	file, err := openBolt(path, &bbolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return file.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: size is %d bytes, not %d", errDamaged, info.Size(), tx.Size())
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			var last []byte
			c := b.Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				if v == nil {
					return fmt.Errorf("%w: bucket %s contains a bucket", errDamaged, name)
				}
				if last != nil && bytes.Compare(last, k) >= 0 {
					return fmt.Errorf("%w: bucket %s is out of order", errDamaged, name)
				}
				last = k
			}
			return nil
		})
	})
}
