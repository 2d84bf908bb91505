"""Copy a registered model for serving, after checking every file that is run or read against its digest.

python -m starcast.tracking.checked_copy models:/review-rating@champion served
"""

import shutil
import sys
from pathlib import Path

from starcast.cli.errors import UserError
from starcast.tracking import access, registry
from starcast.tracking.model_files import DIGEST, PREDICTOR, SERVED, ModelFiles


def checked_copy(address: str, folder: Path) -> None:
    """Copy the model at an address into a new folder, without files that no digest covers.

    Of a model that is refused, nothing is left.

    Raises:
        UserError: the folder exists, a file was changed since the version was registered, or no tag tells.
    """
    version = registry.find(address)
    if DIGEST not in version.tags:
        raise UserError(f"model {version.uri}: it has no tag {DIGEST} to check its files by; train it again")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made ({error.strerror}); name a new folder") from None
    try:
        files = ModelFiles(version.uri, version.tags, folder)
        files.refuse_another_loader(files.described())
        files.fetch_checked(files.sums(), PREDICTOR, *SERVED)
    except BaseException:
        shutil.rmtree(folder)  # else a next command might serve what was changed
        raise


if __name__ == "__main__":
    try:
        asked = sys.argv[1], Path(sys.argv[2])
        with access.one_line_errors():
            access.check_store()
            checked_copy(*asked)
    except UserError as error:
        sys.exit(f"starcast: {error}")
    except IndexError:
        sys.exit(str(__doc__))
