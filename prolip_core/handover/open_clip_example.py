"""The trained model in plain open_clip: pip install open_clip_torch, then python example.py PHOTO

Photos whose sides differ by more than 1.8 times are cropped here as open_clip does it; ../predict.py shows them whole, as the
app does, and knows when it is not sure.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import open_clip
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file

FOLDER = Path(__file__).resolve().parent


def main(photo: str) -> None:
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    model.eval()
    names = json.loads((FOLDER / "class_names.json").read_text(encoding="utf-8"))
    text_CD = load_file(FOLDER / "class_vectors.safetensors")["text_CD"]
    with Image.open(photo) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    with torch.no_grad():
        image_1D = model.encode_image(preprocess(image)[None], normalize=True)
        probs_C = (model.logit_scale.exp() * image_1D @ text_CD.T).softmax(dim=-1)[0]
    for index in probs_C.argsort(descending=True)[:3].tolist():
        sys.stdout.write(f"{names[index]}\t{probs_C[index]:.4f}\n")


if __name__ == "__main__":
    main(sys.argv[1])
