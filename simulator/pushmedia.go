package simulator

import (
	"fmt"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// attachFiles stores the files of a push as temporary material, so that the account can get them and answer with them, and
// writes their ids into the fields that aren't set. The caller holds the lock.
func (p *Platform) attachFiles(account *accountState, entry catalog.Entry, push *Push, fields map[string]string, now time.Time) error {
	kind, known := map[Type]string{
		TypeImage: media.Image, TypeVoice: media.Voice, TypeVideo: media.Video, "shortvideo": media.Video,
	}[push.Type]
	if !known && len(push.Media) > 0 {
		return fmt.Errorf("%w: media is for a picture, voice or video, not for type %q", ErrInvalid, push.Type)
	}
	keep := func(path, kind string, data []byte) (*media.Item, error) {
		if _, set := fields[path]; set || !entry.Has(path) {
			return nil, nil //nolint:nilnil // Nothing to keep, and nothing wrong.
		}
		item, err := p.keepFile(account, kind, data, now)
		if err == nil {
			fields[path] = item.ID
		}

		return item, err
	}
	if known {
		item, err := keep("MediaId", kind, push.Media)
		if err != nil {
			return err
		}
		if _, set := fields["PicUrl"]; item != nil && !set && entry.Has("PicUrl") {
			fields["PicUrl"] = p.pictureURL(item)
		}
		if _, err := keep("MediaId16K", media.Voice, push.Media); err != nil {
			return err
		}
	}
	item, err := keep("ThumbMediaId", media.Thumb, nil)
	if _, set := fields["ThumbUrl"]; item != nil && !set && entry.Has("ThumbUrl") {
		fields["ThumbUrl"] = p.pictureURL(item)
	}

	return err
}

// keepFile stores a file, or a sample of its kind if there is none, by the rules of temporary material.
func (p *Platform) keepFile(account *accountState, kind string, data []byte, now time.Time) (*media.Item, error) {
	if len(data) == 0 {
		data = media.Sample(kind)
	}
	contentType, code := media.Check(media.Temporary, kind, data)
	if code != errcode.OK {
		return nil, fmt.Errorf("%w: media must be a %s as WeChat takes it, of at most %d bytes (%d %s)",
			ErrInvalid, kind, media.Temporary[kind].MaxBytes, code, code.Text())
	}
	item := &media.Item{ID: p.newMediaID(), Kind: kind, ContentType: contentType, Data: data, Stored: now}
	account.temporary.Add(item)

	return item, nil
}
