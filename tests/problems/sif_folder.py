"""A small folder of SIF files, written by hand, to try the collection, the registry and the sweep on."""

BOWL = """\
***************************
*   SET UP THE INITIAL DATA *
***************************

NAME          BOWL

*   A bowl: sum of (x_i - 2)^2.
*   classification SUR2-AN-V-0

 IE N                   3              $-PARAMETER
*IE N                   10             $-PARAMETER
*IE N                   100            $-PARAMETER
 IE 1                   1

VARIABLES
 DO I         1                        N
 X  X(I)
 ND

GROUPS
 DO I         1                        N
 XN G(I)      X(I)      1.0
 ND

CONSTANTS
    B         'DEFAULT' 2.0

BOUNDS
 FR B         'DEFAULT'

GROUP TYPE
 GV L2        GVAR

GROUP USES
 T  'DEFAULT' L2

ENDATA

GROUPS        BOWL

INDIVIDUALS
 T  L2
 F                      GVAR * GVAR
 G                      GVAR + GVAR
 H                      2.0
ENDATA
"""

LINE = """\
NAME          LINE

*   classification LLR2-AN-2-1

VARIABLES
    X1
    X2

GROUPS
 N  OBJ       X1        1.0            X2        2.0
 G  C         X1        1.0            X2        1.0

CONSTANTS
    RHS       C         1.0

ENDATA
"""


def write(folder):
    """Fill the folder: two problems, a file that is none, and one that has nothing to do with it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "BOWL.SIF").write_text(BOWL, encoding="ascii")
    (folder / "LINE.SIF").write_text(LINE, encoding="ascii")
    (folder / "BROKEN.SIF").write_text("no card at all\n", encoding="ascii")
    (folder / "README").write_text("not a problem\n", encoding="ascii")
    return folder
