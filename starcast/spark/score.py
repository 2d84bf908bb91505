"""Score reviews on Spark: executors read, predict and write, each partition into a part file."""

import time
from functools import partial
from pathlib import Path
from shutil import make_archive

from starcast.cli.errors import UserError
from starcast.cli.processes import scratch_folder
from starcast.models.scored_table import ScoringSummary, Totals
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import Reading
from starcast.reviews.unpack import table_name
from starcast.reviews.write import open_folder
from starcast.spark.jobs import run_jobs
from starcast.spark.reviews import SETTINGS, read_reviews
from starcast.spark.score_part import STORED, WRITTEN, stored_answers, write_part
from starcast.spark.session import spark_session
from starcast.tracking.scoring import LoadedModel, answer_column


def score_on_spark(
    master: str,
    file: Path,
    reading: Reading,
    columns: list[str],
    layout: Layout,
    loaded: LoadedModel,
    output: Path,
) -> ScoringSummary:
    """Score a file into the folder `output`, in the format of its extension; replace an earlier folder.

    Raises:
        UserError: Spark does not start or fails, or its executors cannot see the files of this machine.
    """
    start, name = time.monotonic(), f"starcast predict {table_name(file)}"
    with (
        open_folder(output) as parts,
        scratch_folder() as scratch,
        spark_session(master, name, SETTINGS) as session,
    ):
        from pyspark.sql.functions import struct

        table = read_reviews(session, file, columns, reading)
        read = {"text": layout.text, "title": layout.title}
        places = {asked: columns.index(name) for asked, name in read.items() if name}
        answer, named = None, loaded.version.named
        if loaded.stored:
            archive = make_archive(str(scratch / STORED.removesuffix(".zip")), "zip", loaded.stored)
            session.sparkContext.addFile(archive)
            answer = partial(stored_answers, f"model {loaded.version.uri}", places)
        else:
            found = {asked: table[table.columns[place]] for asked, place in places.items()}
            texts = struct(*(column.cast("string").alias(asked) for asked, column in found.items()))
            answers = answer_column(session, loaded, scratch)(texts)
            table = table.withColumn("answer", answers).select(*table.columns, "answer.*")
        form = loaded.scale, loaded.trained.reviewed
        write = partial(write_part, parts, output.suffix.lower(), columns, named, form, answer)
        written = run_jobs(session.sparkContext, table.mapInArrow(write, WRITTEN).collect)
        for row in written:
            part = parts / row["part"]
            if not part.is_file() or part.stat().st_size != row["bytes"]:
                remedy = "name a folder that all machines share"
                raise UserError(f"output {output}: the executors' files are not here; {remedy}")
    totals = Totals(*(sum(row[name] for row in written) for name in Totals._fields))
    return ScoringSummary(totals, totals.rows / (time.monotonic() - start))
